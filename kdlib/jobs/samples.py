"""How a run's models go on from a text. It takes the models' folders and nothing else of the run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from kdlib.data.documents import Document
from kdlib.jobs.context import RunModels
from kdlib.jobs.recipe_files import recipe_of_run
from kdlib.models.folders import load_model, load_tokenizer
from kdlib.training.run_folder import require_run

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PROMPT_TOKENS, NEW_TOKENS, SAMPLES = 24, 48, 3


def continuations(folder: Path, prompt: str, tokens: int, seed: int) -> dict[str, str]:
    """How each of a run's finished models goes on from the prompt.

    Args:
        folder: of the run; its text need not be there any more.
        prompt: the text to go on from.
        tokens: how many to add, at most.
        seed: the same seed, the same texts.

    Raises:
        UserError: where the folder is no run, or a model in it cannot be loaded.
    """
    require_run(folder)
    texts = {}
    for name, place in RunModels(recipe_of_run(folder), folder).finished.items():
        tokenizer = load_tokenizer(place)
        ids = tokenizer(prompt, return_tensors="pt").input_ids
        texts[name] = generate(load_model(place), tokenizer, ids, tokens, seed)
    return texts


def sample_documents(
    models: RunModels, loaded: dict[str, nn.Module], documents: list[Document]
) -> list[dict[str, str]]:
    """How each loaded model goes on from the openings of documents, with the same randomness."""
    tokenizer, teachers = load_tokenizer(models.tokenizer), load_tokenizer(models.teacher)
    samples = []
    for document in documents[-SAMPLES:]:
        opening = tokenizer(document.text, return_tensors="pt").input_ids[:, :PROMPT_TOKENS]
        prompt = str(tokenizer.decode(opening[0]))
        texts = {}
        for name, model in loaded.items():
            reads, ids = tokenizer, opening
            if name == "teacher" and models.recipe.student.cross_tokenizer:
                reads, ids = teachers, teachers(prompt, return_tensors="pt").input_ids
            texts[name] = generate(model, reads, ids, NEW_TOKENS, models.recipe.seed)
        samples.append({"prompt": prompt} | texts)
    return samples


def generate(
    model: Any, tokenizer: PreTrainedTokenizerFast, prompt: Tensor, new_tokens: int, seed: int
) -> str:
    """Sample a continuation at temperature 0.8 from the 40 likeliest tokens. Same seed, same text.

    Args:
        model: a causal language model.
        tokenizer: its own.
        prompt: (1, P) token ids.
        new_tokens: how many to add, at most; an end-of-text token ends the text.
        seed: of the draws.
    """
    torch.manual_seed(seed)
    prompt = prompt.to(model.device)
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
