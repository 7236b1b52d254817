"""The entries of a report on a run's models, each by itself, and on their comparison."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from kdlib.data.document import Document
from kdlib.jobs.context import RunModels
from kdlib.jobs.learners import learner, seeds
from kdlib.jobs.phase_records import training_entries, writing_share
from kdlib.jobs.scoring import Entrants, Exam
from kdlib.models.folders import load_tokenizer, load_whole_model, stored_slots
from kdlib.models.from_scratch import parameter_count
from kdlib.models.vocabularies import surplus_mass, surplus_slots, token_slots
from kdlib.reports.fields import LEARNERS, NEED_ONE_TOKENIZER, NGRAM, RIVALS
from kdlib.reports.intervals import advantage, gap_closed
from kdlib.reports.score_file import Scores
from kdlib.reports.speed import tokens_per_second
from kdlib.reports.summary import summarise_losses, summarise_scores
from kdlib.training.run_state import read_state

if TYPE_CHECKING:
    from accelerate import Accelerator


def measured_models(
    entrants: Entrants, exam: Exam, scores: Scores, accelerator: Accelerator
) -> dict[str, Any]:
    """The report's entries on the models and on their comparison.

    Args:
        entrants: the models.
        exam: the text.
        scores: of the models on this text.
        accelerator: device and mixed precision.
    """
    models, ngram = entrants.models, entrants.ngram
    texts = {name: exam.blocks for name in entrants.loaded} | {"teacher": exam.teachers_blocks}
    speeds = tokens_per_second(entrants.loaded, texts, accelerator)
    training = training_entries(read_state(models.folder))
    entries = {
        name: _summary(models, scores, name)
        | _weight(model, models.finished[name])
        | {"tokens_per_second": speeds[name]}
        | training.get(name, {})
        for name, model in entrants.loaded.items()
    }
    entries["teacher"] |= _surplus(models, exam.documents)
    entries["student"] |= writing_share(models.folder)
    if ngram is not None:
        entries[NGRAM] = _counted(scores) | {"order": ngram.order, "entries": ngram.entries}
        if entrants.counted < 1:
            entries[NGRAM]["counted"] = entrants.counted
    return entries | _comparisons(models, scores, len(exam.blocks))


def _summary(models: RunModels, scores: Scores, name: str) -> dict[str, Any]:
    """The measured quantities of one model."""
    is_teacher = name == "teacher"
    summary = summarise_scores(scores.models[name], scores.tokens, scores.text_bytes, is_teacher)
    if models.recipe.student.cross_tokenizer:
        for quantity in NEED_ONE_TOKENIZER:
            summary.pop(quantity, None)
    return summary


def _counted(scores: Scores) -> dict[str, float]:
    """The measured quantities of the n-gram."""
    return summarise_losses(scores.losses[NGRAM], scores.tokens, scores.text_bytes)


def _weight(model: nn.Module, folder: Path) -> dict[str, int]:
    """Size in parameters and in bytes on disk."""
    return {
        "parameters": parameter_count(model),
        "bytes_on_disk": sum(file.stat().st_size for file in folder.glob("*.safetensors")),
    }


def _surplus(models: RunModels, documents: list[Document]) -> dict[str, float]:
    """The output slots beyond the tokenizer that were cut off when the teacher was loaded."""
    tokenizer = load_tokenizer(models.teacher)
    if stored_slots(models.teacher) == token_slots(tokenizer):
        return {}
    test = models.teachers_blocks(documents, tokenizer)
    whole = load_whole_model(models.teacher)
    return {
        "surplus_slots": surplus_slots(whole, tokenizer),
        "surplus_mass": surplus_mass(whole, tokenizer, test.ids[:1]),
    }


def _comparisons(models: RunModels, scores: Scores, blocks: int) -> dict[str, Any]:
    """The student against each rival over all trainings, and the gap closed, if there is one."""
    losses = {
        role: _losses_of_seeds(models, scores, role)
        for role in ("teacher", *LEARNERS, NGRAM)
        if role in scores.models or role in scores.losses
    }
    tokens, student = scores.unit_tokens, losses["student"]
    rivals = [name for name in RIVALS if name in losses]
    entries: dict[str, Any] = {
        "interval_unit": scores.layout.unit,
        "test_blocks": blocks,
        "trainings": [
            {"seed": seed} | _cross_entropies(losses, row, tokens)
            for row, seed in enumerate(seeds(models.recipe))
        ],
        "advantage": {name: advantage(student, losses[name], tokens) for name in rivals},
    }
    gap = None
    if "control_equal_steps" in losses:
        gap = gap_closed(losses["teacher"], student, losses["control_equal_steps"], tokens)
    return entries | ({} if gap is None else {"gap_closed": gap})


def _cross_entropies(
    losses: dict[str, np.ndarray], row: int, tokens: np.ndarray
) -> dict[str, float]:
    """The cross-entropy of each learner of one seed, in nats per token."""
    learned = [role for role in LEARNERS if role in losses]
    return {role: float(losses[role][row].sum() / tokens.sum()) for role in learned}


def _losses_of_seeds(models: RunModels, scores: Scores, role: str) -> np.ndarray:
    """A role's summed losses on each unit of text, a row for each seed; teacher and n-gram have
    one row."""
    if role not in LEARNERS:
        return scores.unit_losses(role)[None]
    names = [learner(models.recipe, role, seed).name for seed in seeds(models.recipe)]
    return np.stack([scores.unit_losses(name) for name in names])
