"""Where a model's logits come from: its last hidden states and, nearly always, one matrix product.

A loss that knows the product need not store the logits (see `kdlib.losses.fused.loss`), and for a
teacher that is read more than once it is enough to keep the hidden states (see
`kdlib.teachers.live`).
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from kdlib.losses.fused.inputs import Head
from kdlib.models.probe import probe_ids


def last_hidden_states(model: nn.Module, ids: Tensor) -> Tensor:
    """A model's hidden states after its last norm.

    No attention mask is passed: blocks are padded on the right only, and a causal model never looks
    to the right.

    Args:
        model: a causal language model of transformers.
        ids: (B, S) token ids.

    Returns:
        (B, S, H) hidden states.
    """
    base: Any = model.base_model  # torch types a module's attributes as Tensor | Module
    if base is model:  # an architecture that names its base otherwise, such as Llama 4
        base = getattr(model, "model", model)
    with one_text_a_row():
        hidden: Tensor = base(input_ids=ids, use_cache=False).last_hidden_state
    return hidden


@contextlib.contextmanager
def one_text_a_row() -> Iterator[None]:
    """Switch off transformers' search for several texts packed into one row.

    Without a mask, it searches the positions in every pass, and the CPU has to wait for the GPU's
    answer. Positions of our blocks never restart, so there is nothing to find.
    """
    masking: Any = sys.modules.get("transformers.masking_utils")
    search = getattr(masking, "find_packed_sequence_indices", None)
    if search is None:
        yield
        return
    masking.find_packed_sequence_indices = lambda position_ids: None
    try:
        yield
    finally:
        masking.find_packed_sequence_indices = search


@torch.no_grad()
def linear_head(model: nn.Module) -> Head | None:
    """The head of a causal language model, if its logits are exactly the head's.

    Some architectures scale or cap their logits, as their config says. So the head is tried on a
    few tokens, and accepted only if every bit agrees with the model's own logits.

    Args:
        model: any module; its training mode is restored.

    Returns:
        The head; or None, with a warning, where the logits are not one matrix product of the last
        hidden states, or one that is scaled or capped.
    """
    # Any module that maps ids to logits can be trained, only without its head.
    output: Any = getattr(model, "get_output_embeddings", lambda: None)()
    if output is None:
        _warn_of_whole_logits(model, "it names no output matrix")
        return None
    was_training = model.training
    model.eval()
    ids = probe_ids(len(output.weight), output.weight.device)
    try:
        hidden = last_hidden_states(model, ids)
    except AttributeError:
        hidden = None
    logits = model(input_ids=ids, use_cache=False).logits
    model.train(was_training)
    if hidden is None:
        _warn_of_whole_logits(model, "it does not give its last hidden states alone")
        return None
    if hidden.shape[-1] == output.weight.shape[1]:
        for finished, settings in _finished(output(hidden), model.config):
            if torch.equal(finished, logits):
                return Head(output.weight, output.bias, **settings)
    _warn_of_whole_logits(
        model, "its logits are not the product of its hidden states and output matrix"
    )
    return None


def _finished(raw: Tensor, config: Any) -> Iterator[tuple[Tensor, dict[str, float]]]:
    """What architectures with these settings make of raw logits, bit by bit, and how a head does."""
    # Gemma, RecurrentGemma; Cohere; Granite
    names = ("final_logit_softcapping", "logits_soft_cap", "logit_scale", "logits_scaling")
    values = (getattr(config, name, None) for name in names)
    cap, other_cap, factor, divisor = (v if isinstance(v, int | float) else None for v in values)
    # The plain product comes last: untrained logits may be too small for a cap to change a bit.
    cap = cap or other_cap
    if cap:
        yield (raw / cap).tanh() * cap, {"soft_cap": cap}
    if factor:
        yield raw * factor, {"scale": factor}
    if divisor:  # HyperCLOVA X multiplies by a setting of the same name
        yield raw / divisor, {"scale": 1 / divisor}
        yield raw * divisor, {"scale": divisor}
    yield raw, {}


def _warn_of_whole_logits(model: nn.Module, why: str) -> None:
    """Say once why a model's logits are kept whole; Python itself drops what it has said before."""
    warnings.warn(
        f"{type(model).__name__}: {why}; so all logits are kept in memory, and as a student it"
        " cannot learn from sparse targets",
        stacklevel=1,  # this line, for all callers: one place, one warning
    )


class ModelWithHead(nn.Module):
    """A causal language model together with its head: the base for students and teachers.

    Attributes:
        model: the causal language model.
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model
        head = linear_head(model)
        # Without its weights: they may be sharded later, so they are put in at each access.
        self._head = None if head is None else replace(head, weight=None, bias=None)  # type: ignore[arg-type]
        # Accelerate asks the outermost module which parts to shard one by one.
        self._no_split_modules = getattr(model, "_no_split_modules", None)

    @property
    def head(self) -> Head | None:
        """The head as `linear_head` found it, with the model's current weights.

        A sharded model has its whole weights only during a forward pass: read the head within one.
        """
        if self._head is None:
            return None
        model: Any = self.model
        output = model.get_output_embeddings()
        return replace(self._head, weight=output.weight, bias=output.bias)
