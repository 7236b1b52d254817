"""Scoring a run's models on a text, once: what was scored before is read from the run's folder."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from accelerate import Accelerator
from torch import nn

from kdlib.data.blocks import Blocks
from kdlib.data.document import Document, text_sha256
from kdlib.jobs.context import RunModels
from kdlib.jobs.counting import Counted, count_blocks
from kdlib.models.checksums import folder_fingerprint
from kdlib.models.folders import load_model, load_tokenizer
from kdlib.models.ngram import NGram
from kdlib.models.vocabularies import token_slots
from kdlib.reports.fields import MODELS, NGRAM
from kdlib.reports.layout import layout_of
from kdlib.reports.score_file import Scores, read_scores, scores_path, write_scores
from kdlib.reports.scores import TokenScores, score_models, score_text


@dataclass(frozen=True)
class Exam:
    """A text as a run's models read it.

    Attributes:
        documents: the text.
        blocks: as the student and the controls read it.
        teachers_blocks: as the teacher reads it; the same, unless the student has its own
            tokenizer.
    """

    documents: list[Document]
    blocks: Blocks
    teachers_blocks: Blocks


def open_exam(models: RunModels, documents: list[Document]) -> Exam:
    """Cut documents into blocks for a run's models.

    Args:
        models: the run.
        documents: the text.
    """
    if models.recipe.student.cross_tokenizer:
        pairs = models.pairs(documents)
        return Exam(documents, pairs.student, pairs.teacher)
    blocks = models.blocks(documents, load_tokenizer(models.tokenizer))
    return Exam(documents, blocks, blocks)


@dataclass(frozen=True)
class Entrants:
    """Who is scored.

    Attributes:
        models: the run.
        loaded: the teacher and the first seed's learners, by name.
        ngram: the baseline that counts; None if the run's own text is not there to be counted.
        counted: the share of what the student read that it has counted.
    """

    models: RunModels
    loaded: dict[str, nn.Module]
    ngram: NGram | None
    counted: float = 1


def count_ngrams(models: RunModels, lesson: list[Document]) -> Counted:
    """The n-gram model of what the student read.

    Args:
        models: the run, for its tokenizer.
        lesson: the documents that the student and its controls were trained on.
    """
    exam, tokenizer = open_exam(models, lesson), load_tokenizer(models.tokenizer)
    return count_blocks(exam.blocks, token_slots(tokenizer))


def score_run(entrants: Entrants, exam: Exam, accelerator: Accelerator) -> Scores:
    """Score all models of a run on a text, or read their scores if they are on disk.

    Args:
        entrants: the models.
        exam: the text.
        accelerator: device and mixed precision.

    Returns:
        The scores, which are on disk by now.
    """
    models, sha256 = entrants.models, text_sha256(exam.documents)
    path = scores_path(models.folder, sha256)
    made_of = {"text": sha256, NGRAM: str(entrants.ngram is not None)}
    made_of |= {name: folder_fingerprint(folder) for name, folder in models.finished.items()}
    found = read_scores(path, made_of)
    if found is None:
        found = _score(entrants, exam, accelerator)
        write_scores(path, found, made_of)
    return found


def _score(entrants: Entrants, exam: Exam, accelerator: Accelerator) -> Scores:
    """Run all models over the text."""
    loaded = entrants.loaded
    if exam.blocks is exam.teachers_blocks:
        scores = score_models(loaded, "teacher", exam.blocks, accelerator)
    else:
        scores = _score_two_tokenizers(loaded, exam, accelerator)
    losses = {
        name: score_text(name, load_model(folder), exam.blocks, accelerator)
        for name, folder in entrants.models.finished.items()
        if name not in MODELS
    }
    if entrants.ngram is not None:
        losses[NGRAM] = _score_ngram(entrants.ngram, exam.blocks)
    layout, teachers = layout_of(exam.blocks), layout_of(exam.teachers_blocks)
    return Scores(layout, teachers, exam.blocks.bytes, scores, losses)


def _score_two_tokenizers(
    loaded: dict[str, nn.Module], exam: Exam, accelerator: Accelerator
) -> dict[str, TokenScores]:
    """Scores of models with two tokenizers, over pairs of blocks with the same text.

    Their distributions over tokens cannot be compared: of the comparisons with a teacher, the
    report leaves out all but the cross-entropies.
    """
    learners = {name: model for name, model in loaded.items() if name != "teacher"}
    alone = {"teacher": loaded["teacher"]}
    return score_models(alone, "teacher", exam.teachers_blocks, accelerator) | score_models(
        learners, "student", exam.blocks, accelerator
    )


def _score_ngram(ngram: NGram, blocks: Blocks) -> np.ndarray:
    """The n-gram model's loss on each counted token: (T,) float32, in nats."""
    parts = [
        ngram.nll(blocks.ids[rows], blocks.mask[rows])[blocks.counted(rows).numpy()]
        for rows in blocks.parts()
    ]
    return np.concatenate(parts).astype(np.float32)
