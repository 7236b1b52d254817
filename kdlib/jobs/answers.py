"""Letting the models of a run answer problems whose answers a program can check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from kdlib.data.document import Document
from kdlib.data.sums import SUMS, is_right, question
from kdlib.jobs.context import RunModels
from kdlib.jobs.kept import load_finished
from kdlib.jobs.learners import learner, seeds
from kdlib.jobs.record_answers import exact_matches
from kdlib.jobs.samples import generating_with, prompt_ids
from kdlib.models.folders import load_tokenizer
from kdlib.records.record import as_records
from kdlib.reports.answers import answer_entries
from kdlib.reports.fields import LEARNERS

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

TOGETHER = 256  # problems that are answered at once


def check_answers(
    models: RunModels, documents: list[Document], accelerator: Accelerator
) -> dict[str, Any]:
    """Let every finished model answer the problems or the prompts of the test, greedily.

    Args:
        models: the run.
        documents: the test.
        accelerator: device and mixed precision.

    Returns:
        The report's entry "answers"; none for a text whose answers no program knows, and for records
        unless the recipe asks for it.
    """
    records = as_records(documents)
    judged = models.recipe.evaluate.exact_match if records else models.recipe.data.text == SUMS
    if not judged:
        return {}
    tokenizer = load_tokenizer(models.tokenizer)
    right = {
        name: exact_matches(
            name, load_finished(models, name).to(accelerator.device), models, records
        )
        if records
        else _answered(load_finished(models, name), tokenizer, documents, accelerator)
        for name in models.finished
    }
    recipe = models.recipe
    by_role = {"teacher": right["teacher"][None]}
    for role in LEARNERS:
        names = [learner(recipe, role, seed).name for seed in seeds(recipe)]
        if names[0] in right:
            by_role[role] = np.stack([right[name] for name in names])
    return {"answers": answer_entries(by_role, list(seeds(recipe)))}


def _answered(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerFast,
    documents: list[Document],
    accelerator: Accelerator,
) -> np.ndarray:
    """(D,) 1 where the model's answer is right."""
    model = model.to(accelerator.device)
    asked = torch.cat([prompt_ids(tokenizer, question(each.text)) for each in documents])
    longest = max(len(each.text) - len(question(each.text)) for each in documents)
    with accelerator.autocast():
        texts = [
            tokenizer.backend_tokenizer.decode(row.tolist(), skip_special_tokens=True)
            for part in asked.split(TOGETHER)
            for row in _likeliest(model, part.to(accelerator.device), longest, tokenizer)
        ]
    return np.array([float(is_right(text)) for text in texts])


def _likeliest(
    model: Any, prompts: Tensor, longest: int, tokenizer: PreTrainedTokenizerFast
) -> Tensor:
    """The prompts, continued with the likeliest token each time, to the end of the text."""
    from transformers import GenerationConfig

    settings = GenerationConfig(
        max_new_tokens=longest,
        do_sample=False,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.eos_token_id,
    )
    with torch.no_grad(), generating_with(model, settings):
        continued: Tensor = model.generate(
            prompts, generation_config=settings, attention_mask=torch.ones_like(prompts)
        )
    return continued
