"""Sampled continuations of a text by a run's models. They need the models' folders and no more."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from kdlib.data.document import Document
from kdlib.data.separators import AUTO, separator_id
from kdlib.errors import UserError
from kdlib.jobs.context import RunModels
from kdlib.jobs.recipe_files import recipe_of_run
from kdlib.machine.turns import on_device
from kdlib.models.context_length import context_length
from kdlib.models.folders import load_model, load_tokenizer
from kdlib.records.record import USER, Turn
from kdlib.records.template import ChatTemplate
from kdlib.training.run_folder import require_run

if TYPE_CHECKING:
    from transformers import GenerationConfig, PreTrainedTokenizerFast

PROMPT_TOKENS, NEW_TOKENS, SAMPLES = 24, 48, 3
AS_A_RULE = 60  # new tokens, where nobody says how many


def continuations(folder: Path, prompt: str, tokens: int | None, seed: int) -> dict[str, str]:
    """Let each of a run's finished models continue a prompt.

    Args:
        folder: the run's folder; the run's text need not be there any more.
        prompt: the text to continue.
        tokens: how many to add, at most; None for as many as a model reads behind the whole prompt,
            and no more than ``AS_A_RULE``.
        seed: of the draws; the same seed gives the same texts.

    Returns:
        Continuation, without the prompt, by name of the model.

    Raises:
        UserError: for a folder that is no run, for a model in it that cannot be loaded, and for
            more tokens than one of the models reads.
    """
    require_run(folder)
    texts = {}
    models = RunModels(recipe_of_run(folder), folder)
    for name, model_folder in models.of_first_seed.items():
        tokenizer, model = load_tokenizer(model_folder), load_model(model_folder)
        longest = context_length(model) or sys.maxsize
        if tokens is not None and tokens >= longest:
            raise UserError(
                f"tokens: {tokens} is too many; the {name} reads {longest} at once, so"
                f" use {longest - 1} or fewer"
            )
        separator = _separator(models, name)
        ids = _asked(models, tokenizer, prompt, separator)
        new = min(AS_A_RULE, max(1, longest - ids.shape[1])) if tokens is None else tokens
        texts[name] = generate(model, tokenizer, ids, new, seed, separator=separator)
    return texts


def _asked(
    models: RunModels, tokenizer: PreTrainedTokenizerFast, prompt: str, separator: str
) -> Tensor:
    """A text to be continued; of records a user's turn that is to be answered."""
    if not models.recipe.data.records:
        return prompt_ids(tokenizer, prompt, separator)
    text = ChatTemplate(tokenizer, models.recipe.data.template).prompt([Turn(USER, prompt)])
    return torch.tensor([tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids])


def sample_documents(
    models: RunModels,
    loaded: dict[str, nn.Module],
    documents: list[Document],
    device: torch.device,
) -> list[dict[str, str]]:
    """Let each loaded model continue the openings of some documents, with the same seed.

    Args:
        models: the run, for its tokenizers and its seed.
        loaded: the models, by name.
        documents: of which the last ``SAMPLES`` are used.
        device: where they write, one model after the other.

    Returns:
        For each document the "prompt", and the continuation by name of the model.
    """
    tokenizer = load_tokenizer(models.tokenizer)
    openings = [
        prompt_ids(tokenizer, document.text, models.recipe.data.separator)[:, : PROMPT_TOKENS + 1]
        for document in documents[-SAMPLES:]
    ]
    samples = [
        {"prompt": tokenizer.backend_tokenizer.decode(opening[0, 1:].tolist())}
        for opening in openings
    ]
    for name, model in loaded.items():
        own, ids, separator = tokenizer, openings, _separator(models, name)
        if name == "teacher" and models.recipe.student.cross_tokenizer:
            own = load_tokenizer(models.teacher)
            ids = [prompt_ids(own, sample["prompt"], separator) for sample in samples]
        with on_device([model], device):
            for sample, opening in zip(samples, ids):
                sample[name] = generate(
                    model, own, opening, NEW_TOKENS, models.recipe.seed, separator=separator
                )
    return samples


def _separator(models: RunModels, name: str) -> str:
    """What stands before a text that this model continues."""
    return models.teachers_separator if name == "teacher" else models.recipe.data.separator


def prompt_ids(tokenizer: PreTrainedTokenizerFast, text: str, separator: str = AUTO) -> Tensor:
    """A text to be continued, as a document begins in training: after the separator.

    Args:
        tokenizer: of the model that is to continue it.
        text: any text, also none.
        separator: as in the recipe (see `kdlib.data.separators.separator_id`).

    Returns:
        (1, P) int64 token ids.
    """
    encoded = tokenizer.backend_tokenizer.encode(text, add_special_tokens=False)
    return torch.tensor([[separator_id(tokenizer, separator), *encoded.ids]])


def generate(
    model: Any,
    tokenizer: PreTrainedTokenizerFast,
    prompt: Tensor,
    new_tokens: int,
    seed: int | None,
    *,
    separator: str = AUTO,
    stop: int | None = None,
) -> str:
    """Sample a continuation at temperature 0.8 from the 40 likeliest tokens, or take the likeliest.

    Of the settings of generation in the model's folder, only the tokens that end a text are used:
    penalties, beams and the like would show another distribution than the one that was learned.

    Args:
        model: a causal language model.
        tokenizer: the model's tokenizer.
        prompt: (1, P) token ids (see `prompt_ids`). If prompt and new tokens are more than the model
            reads, the beginning of the prompt is left out, and the new tokens are fewer where that
            is not enough: beyond its last position a model has learned nothing, or has none.
        new_tokens: how many to add, at most; a token that ends a text, or that stands between
            documents, ends it.
        seed: of the draws; the same seed gives the same text. None for the likeliest token each
            time.
        separator: between documents, as in the recipe.
        stop: a further token that ends a text.

    Returns:
        The continuation, without the prompt.
    """
    torch.manual_seed(seed or 0)
    longest = context_length(model) or sys.maxsize
    new_tokens = min(new_tokens, longest - 1)
    prompt = prompt[:, -(longest - new_tokens) :].to(model.device)
    ends = _text_ends(model, tokenizer) | {separator_id(tokenizer, separator)}
    ends |= set() if stop is None else {stop}
    settings = _plain_sampling(sorted(ends), new_tokens, seed is not None)
    with generating_with(model, settings):
        out = model.generate(
            prompt, generation_config=settings, attention_mask=torch.ones_like(prompt)
        )
    added = out[0, prompt.shape[1] :]
    return str(
        tokenizer.decode(added, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    )


def _text_ends(model: Any, tokenizer: PreTrainedTokenizerFast) -> set[int]:
    """Tokens that end a text, by the model's folder and by its tokenizer."""
    own = model.generation_config.eos_token_id
    ends = {*(own if isinstance(own, list) else [own]), tokenizer.eos_token_id}
    return {int(end) for end in ends if end is not None}


def _plain_sampling(ends: list[int], new_tokens: int, drawn: bool) -> GenerationConfig:
    """Sampling at temperature 0.8 from the 40 likeliest tokens, or the likeliest alone, until one of
    the ends."""
    from transformers import GenerationConfig

    return GenerationConfig(
        max_new_tokens=new_tokens,
        do_sample=drawn,
        **({"temperature": 0.8, "top_k": 40} if drawn else {}),
        eos_token_id=ends,
        pad_token_id=ends[0],
    )


@contextlib.contextmanager
def generating_with(model: Any, settings: GenerationConfig) -> Iterator[None]:
    """Let the model generate with these settings alone: what they leave out would come from its own.

    Args:
        model: a causal language model.
        settings: all that is to count.
    """
    own = model.generation_config
    model.generation_config = settings
    try:
        yield
    finally:
        model.generation_config = own
