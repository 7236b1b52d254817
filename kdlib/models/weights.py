"""Weights that are all there: every tensor of a model from its files, and each of them finite.

A loader fills in what the files lack, with random numbers, and leaves out what it has no place for.
Such a model runs, and its numbers are those of no model that anybody trained.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kdlib.errors import UserError, first_line
from kdlib.models.folder_kinds import architecture, what_it_is
from kdlib.models.probe import probe_ids

# Old files hold constants, such as causal masks and rotary frequencies, which models now compute.
CONSTANTS = re.compile(
    r"\.(rotary_emb\.(inv_freq|cos_cached|sin_cached)|(self_)?att(n|ention)\.(masked_)?bias)$"
    r"|(^|\.)position_ids$"
)
BLOCK = re.compile(r"\.(\d+)\.")


def load_complete_weights(folder: Path, settings: dict[str, Any]) -> nn.Module:
    """Load a causal language model, in float32, and refuse it if anything was made up.

    Args:
        folder: a model folder with safetensors.
        settings: its configuration (see `kdlib.models.folder_kinds.read_settings`).

    Returns:
        The model, on the CPU.

    Raises:
        UserError: for tensors that are missing, unexpected, of another shape or not finite, and
            for a model that looks to the right.
    """
    state = torch.random.get_rng_state()
    model, found = _load(folder)
    drawn = not torch.equal(state, torch.random.get_rng_state())
    torch.random.set_rng_state(state)
    _refuse_another_class(folder, settings, model)
    _refuse_wrapper(folder, model)
    _refuse_incomplete(folder, settings, found)
    if drawn:
        _refuse_random(folder, model)
    _refuse_not_finite(folder, model)
    _refuse_looking_ahead(folder, model)
    return model


def _load(folder: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The model, and which tensors were missing, unexpected or of another shape."""
    from transformers import AutoModelForCausalLM

    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(  # a pair, whatever its types say
            folder,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # so that they are reported by name
        )
    except Exception as error:  # whatever a damaged file makes the loader raise
        raise UserError(f"model: {folder} cannot be loaded: {first_line(error)}") from error
    model, found = loaded
    return model, found


# --- What the files hold, against what the model needs -------------------------------------------


def _refuse_incomplete(folder: Path, settings: dict[str, Any], found: dict[str, Any]) -> None:
    """Refuse tensors that are missing, unexpected or of another shape, and say what they mean."""
    missing = sorted(found["missing_keys"])
    unexpected = sorted(key for key in found["unexpected_keys"] if not CONSTANTS.search(key))
    mismatched = sorted(found["mismatched_keys"])
    if not missing and not unexpected and not mismatched:
        return
    parts = []
    if mismatched:
        name, stored, wanted = mismatched[0]
        shapes = f"{name} is {tuple(stored)}, {tuple(wanted)} is wanted"
        parts.append(f"{len(mismatched)} tensors of another shape ({shapes})")
    if missing:
        parts.append(f"{len(missing)} tensors missing ({_first(missing)})")
    if unexpected:
        parts.append(f"{len(unexpected)} unexpected ({_first(unexpected)})")
    raise UserError(
        f"model: the weights in {folder} are not those that its config.json describes:"
        f" {', '.join(parts)}; {_advice(settings, missing, unexpected)}"
    )


def _first(names: list[str]) -> str:
    """The first two of them, and whether there are more."""
    return ", ".join(names[:2]) + (", ..." if len(names) > 2 else "")


def _advice(settings: dict[str, Any], missing: list[str], unexpected: list[str]) -> str:
    """What such a difference usually means, and what to do."""
    if any("lora_" in name for name in unexpected):
        return "it holds an adapter (PEFT, LoRA); merge it first: merge_and_unload()"
    prefix = _common_prefix(missing, unexpected)
    if prefix:
        merge = " (PEFT: merge the adapter first, merge_and_unload())" * ("base_model" in prefix)
        return f"its names begin with {prefix!r}: save the model inside of the wrapper{merge}"
    other = what_it_is(settings)
    if other:
        return f"it holds {other}; give a causal language model"
    blocks = [_blocks(names) for names in (missing, unexpected)]
    if blocks[1] and not missing:
        return f"config.json has too few blocks: the files hold block {max(blocks[1])} too"
    if blocks[0] and not unexpected:
        return f"a part of the files is missing, or config.json has too many blocks ({max(blocks[0]) + 1})"
    if any(name.startswith(("lm_head", "embed_out")) for name in missing):
        return (
            "it has no output matrix: a base model, or one with tied embeddings whose config.json"
            " should say tie_word_embeddings: true"
        )
    return f"give the files that were saved together as {architecture(settings)}"


def _common_prefix(missing: list[str], unexpected: list[str]) -> str | None:
    """What a wrapper has put in front of every name, if that is all that differs."""
    for name in missing:
        longer = [other for other in unexpected if other.endswith(f".{name}")]
        if longer:
            prefix = longer[0].removesuffix(name)
            return prefix if all(other.startswith(prefix) for other in unexpected) else None
    return None


def _blocks(names: Iterable[str]) -> list[int]:
    """The numbers of the blocks that tensors belong to."""
    return [int(match[1]) for match in map(BLOCK.search, names) if match]


# --- What a model must be, whatever its files say --------------------------------------------------


def _refuse_another_class(folder: Path, settings: dict[str, Any], model: Any) -> None:
    """A Gemma and a Llama have tensors of the same names, and compute other things from them."""
    import transformers

    named = getattr(transformers, architecture(settings), None)
    config = getattr(named, "config_class", None)
    if config is not None and not isinstance(model.config, config):
        raise UserError(
            f"model: the config.json in {folder} names the class {architecture(settings)}, and its"
            f" model_type {settings.get('model_type')!r} is that of {type(model).__name__}; get the"
            " file again, as the model was saved"
        )


def _refuse_wrapper(folder: Path, model: Any) -> None:
    """A model of texts and images keeps the settings of its text in another place."""
    if not hasattr(model.config, "vocab_size"):
        raise UserError(
            f"model: {folder} holds a {type(model).__name__}, a wrapper around a language model"
            " (its vocab_size stands in text_config); save the language model alone"
        )


def _refuse_random(folder: Path, model: nn.Module) -> None:
    """Refuse weights that come out otherwise at a second load, whatever the loader reports."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        again = _load(folder)[0].state_dict()
    for name, tensor in model.state_dict().items():
        if not torch.equal(tensor, again[name]):
            raise UserError(
                f"model: {folder} lacks {name}, and random numbers would stand for it; give a folder"
                f" with all weights of {type(model).__name__}"
            )


def _refuse_not_finite(folder: Path, model: nn.Module) -> None:
    """Refuse weights among which a value is NaN or infinite."""
    # The sum is NaN or infinite if a value is, and takes no memory; it may overflow without one.
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not torch.isfinite(tensor.sum()):
            count = int((~torch.isfinite(tensor)).sum())
            if count:
                raise UserError(
                    f"model: {count} of {tensor.numel()} values of {name} in {folder} are NaN or"
                    " infinite; its training failed, or the file is damaged"
                )


@torch.no_grad()
def _refuse_looking_ahead(folder: Path, model: Any) -> None:
    """Another last token must not change what the model says before it: it would see the answer."""
    slots = model.config.vocab_size
    ids = probe_ids(slots)
    other = ids.clone()
    other[:, -1] = slots - 1
    try:
        one, two = (model(input_ids=rows, use_cache=False).logits[:, :-1] for rows in (ids, other))
    except Exception as error:  # a configuration that no file of weights contradicts
        raise UserError(
            f"model: {folder} cannot read a text: {type(model).__name__}: {first_line(error)}"
        ) from error
    if one.isnan().any():
        raise UserError(f"model: the logits of {folder} are NaN, though its weights are finite")
    if not torch.allclose(one, two, rtol=0, atol=2e-5 * float(one.abs().max())):
        raise UserError(
            f"model: {folder} holds a {type(model).__name__} that looks at the tokens after a"
            " position, so it would see what it is to predict; give a causal language model"
        )
