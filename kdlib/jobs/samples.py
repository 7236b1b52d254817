"""Sampled continuations of a text by a run's models. They need the models' folders and no more."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from kdlib.data.documents import Document
from kdlib.errors import UserError
from kdlib.jobs.context import RunModels
from kdlib.jobs.recipe_files import recipe_of_run
from kdlib.models.folders import load_model, load_tokenizer
from kdlib.training.run_folder import require_run

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PROMPT_TOKENS, NEW_TOKENS, SAMPLES = 24, 48, 3


def continuations(folder: Path, prompt: str, tokens: int, seed: int) -> dict[str, str]:
    """Let each of a run's finished models continue a prompt.

    Args:
        folder: the run's folder; the run's text need not be there any more.
        prompt: the text to continue.
        tokens: how many to add, at most.
        seed: of the draws; the same seed gives the same texts.

    Returns:
        Continuation, without the prompt, by name of the model.

    Raises:
        UserError: for a folder that is no run, for a model in it that cannot be loaded, and for
            more tokens than one of the models reads.
    """
    require_run(folder)
    texts = {}
    for name, model_folder in RunModels(recipe_of_run(folder), folder).of_first_seed.items():
        tokenizer, model = load_tokenizer(model_folder), load_model(model_folder)
        if tokens >= longest_text(model):
            raise UserError(
                f"tokens: {tokens} is too many; the {name} reads {longest_text(model)} at once, so"
                f" use {longest_text(model) - 1} or fewer"
            )
        ids = tokenizer(prompt, return_tensors="pt").input_ids
        texts[name] = generate(model, tokenizer, ids, tokens, seed)
    return texts


def sample_documents(
    models: RunModels, loaded: dict[str, nn.Module], documents: list[Document]
) -> list[dict[str, str]]:
    """Let each loaded model continue the openings of some documents, with the same seed.

    Args:
        models: the run, for its tokenizers and its seed.
        loaded: the models, by name.
        documents: of which the last ``SAMPLES`` are used.

    Returns:
        For each document the "prompt", and the continuation by name of the model.
    """
    tokenizer = load_tokenizer(models.tokenizer)
    teacher_tokenizer = load_tokenizer(models.teacher)
    samples = []
    for document in documents[-SAMPLES:]:
        opening = tokenizer(document.text, return_tensors="pt").input_ids[:, :PROMPT_TOKENS]
        prompt = str(tokenizer.decode(opening[0]))
        texts = {}
        for name, model in loaded.items():
            model_tokenizer, ids = tokenizer, opening
            if name == "teacher" and models.recipe.student.cross_tokenizer:
                model_tokenizer = teacher_tokenizer
                ids = teacher_tokenizer(prompt, return_tensors="pt").input_ids
            texts[name] = generate(model, model_tokenizer, ids, NEW_TOKENS, models.recipe.seed)
        samples.append({"prompt": prompt} | texts)
    return samples


def longest_text(model: Any) -> int:
    """Tokens that a model reads at once; a model without a limit has a very large one."""
    return getattr(model.config, "max_position_embeddings", None) or sys.maxsize


def generate(
    model: Any, tokenizer: PreTrainedTokenizerFast, prompt: Tensor, new_tokens: int, seed: int
) -> str:
    """Sample a continuation at temperature 0.8 from the 40 likeliest tokens.

    Args:
        model: a causal language model.
        tokenizer: the model's tokenizer.
        prompt: (1, P) token ids. If prompt and new tokens are more than the model reads, the
            beginning of the prompt is left out, and the new tokens are fewer where that is not
            enough: beyond its last position a model has learned nothing, or has none.
        new_tokens: how many to add, at most; an end-of-text token ends the text.
        seed: of the draws; the same seed gives the same text.

    Returns:
        The continuation, without the prompt.
    """
    torch.manual_seed(seed)
    new_tokens = min(new_tokens, longest_text(model) - 1)
    prompt = prompt[:, -(longest_text(model) - new_tokens) :].to(model.device)
    out = model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=new_tokens,
        do_sample=True,
        temperature=0.8,
        top_k=40,
        pad_token_id=tokenizer.eos_token_id,
    )
    return str(tokenizer.decode(out[0, prompt.shape[1] :], skip_special_tokens=True))
