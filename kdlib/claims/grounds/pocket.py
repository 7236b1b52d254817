"""Real text: the lesson, the student and the exam of chapter 7, with the teacher that is shipped.

The student (0.34 million parameters) reads some blocks of presidential messages that the teacher
(7.36 million) has read, too. The exam is a piece of each test document, which neither has read.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from kdlib.claims.grounds.learning import nats
from kdlib.claims.grounds.writing import on_words_of
from kdlib.data.blocks import Blocks, make_blocks
from kdlib.data.document import Document
from kdlib.data.documents import load_splits
from kdlib.data.shares import take_fraction, take_pieces
from kdlib.machine.devices import make_accelerator
from kdlib.models.folders import POCKET_TEACHER, load_model, load_tokenizer
from kdlib.models.from_scratch import ModelSize, new_model
from kdlib.models.frozen import freeze
from kdlib.models.ngram import NGram
from kdlib.reports.scores import score_models
from kdlib.reports.summary import summarise_scores
from kdlib.teachers.live import PrecomputedTargets

BLOCK = 128
BATCH = 4
WIDTH, LAYERS, HEADS = 64, 2, 2
TENTH = 0.1  # of the training documents: a lesson is spread over these
VALIDATION_BLOCKS = 24
EXAM = 0.03  # of each test document
BEGINNINGS, PROMPT, NEW = 48, 16, 64  # of the test text that models go on from; tokens
RATES = (0.006, 0.012, 0.024)
SETTINGS: dict[str, Any] = {
    "block": BLOCK, "batch": BATCH, "width": WIDTH, "layers": LAYERS, "heads": HEADS,
    "documents": TENTH, "validation blocks": VALIDATION_BLOCKS, "exam": EXAM,
    "rates": list(RATES),
}  # fmt: skip
MEASURES = {
    "validation": "cross-entropy on the validation text, nats per token",
    "loss": "cross-entropy on the test text, nats per token",
    "forward KL": "KL(P‖Q) from the teacher on the test text, nats per token",
    "agreement": "share of the test tokens where teacher and student find the same one likeliest",
    "calibration": "expected calibration error on the test text",
}
WRITING_MEASURES = MEASURES | {
    "own reverse KL": "KL(Q‖P) on what the student writes, nats per token",
    "own forward KL": "KL(P‖Q) on what the student writes, nats per token",
    "teacher's forward KL": "KL(P‖Q) on what the teacher writes, nats per token",
    "exposure bias": "KL(P‖Q) on the student's words less that on the teacher's",
    "surplus of entropy": "the teacher's entropy on the student's words less that on its own",
    "repeated": "share of runs of four tokens that the same text had before",
    "distinct": "share of all pairs of neighbours that are different ones",
}


class Text(NamedTuple):
    """The texts of a split."""

    training: Blocks
    validation: Blocks
    test: Blocks


@functools.cache
def text() -> Text:
    """A tenth of the training documents, a few blocks of validation, a piece of each test document."""
    splits = load_splits("sotu")
    return Text(
        _blocks(take_fraction(splits.training, TENTH)),
        _evenly(_blocks(splits.validation), VALIDATION_BLOCKS),
        _blocks(take_pieces(splits.test, EXAM)),
    )


@functools.cache
def lesson(blocks: int) -> Blocks:
    """So many blocks, evenly spaced over the tenth."""
    return _evenly(text().training, blocks)


@functools.cache
def wide_lesson(blocks: int) -> Blocks:
    """So many blocks, evenly spaced over all training documents."""
    return _evenly(_blocks(load_splits("sotu").training), blocks)


@functools.cache
def teacher() -> nn.Module:
    """The shipped one, frozen."""
    return freeze(load_model(POCKET_TEACHER))


@functools.cache
def exact(blocks: int) -> PrecomputedTargets:
    """The teacher's whole distributions at every position of a lesson."""
    return PrecomputedTargets(teacher(), lesson(blocks))


def new_student(seed: int, width: int = WIDTH) -> nn.Module:
    """A student before its first step."""
    size = ModelSize(width, layers=LAYERS, heads=HEADS, initial_std=0.09)
    return new_model(size, len(_tokenizer()), 2 * BLOCK, seed)


def exam(student: nn.Module, asked: nn.Module | None = None) -> dict[str, float]:
    """The `MEASURES` of a student.

    Args:
        student: who is examined.
        asked: the teacher that it is compared with; None: the shipped one.
    """
    test = text().test
    models = {"teacher": teacher() if asked is None else asked, "student": student}
    scores = score_models(models, "teacher", test, make_accelerator("cpu", "fp32"))
    summary = summarise_scores(scores["student"], test.predicted_tokens, test.bytes, False)
    return {
        "validation": nats(student, text().validation),
        "loss": summary["cross_entropy"],
        "forward KL": summary["forward_kl"],
        "agreement": summary["top1_agreement"],
        "calibration": summary["ece"],
    }


def exam_of_counts(read: Blocks, order: int = 3) -> dict[str, float]:
    """The loss of a table of `order` tokens, counted in some blocks: what a student has to beat."""
    counts, test = NGram.fit(read.ids, read.mask, len(_tokenizer()), order), text().test
    return {"loss": float(counts.nll(test.ids, test.mask).sum() / test.predicted_tokens)}


def writing_exam(student: nn.Module, seed: int) -> dict[str, float]:
    """The `WRITING_MEASURES` of a student."""
    own, theirs = (
        on_words_of(writer, student, teacher(), beginnings(), NEW, seed)
        for writer in (student, teacher())
    )
    return exam(student) | {
        "own reverse KL": own.reverse_kl,
        "own forward KL": own.forward_kl,
        "teacher's forward KL": theirs.forward_kl,
        "exposure bias": own.forward_kl - theirs.forward_kl,
        "surplus of entropy": own.entropy - theirs.entropy,
        "repeated": own.repeated,
        "distinct": own.distinct,
    }


def beginnings() -> Tensor:
    """The first `PROMPT` tokens (B, P) of some whole blocks of the test text."""
    test = text().test
    return test.ids[test.mask.bool().all(1)][:BEGINNINGS, :PROMPT]


@functools.cache
def _tokenizer() -> Any:
    return load_tokenizer(POCKET_TEACHER)


def _blocks(documents: list[Document]) -> Blocks:
    tokenizer = _tokenizer()
    return make_blocks(documents, tokenizer.backend_tokenizer, BLOCK, tokenizer.eos_token_id)


def _evenly(blocks: Blocks, count: int) -> Blocks:
    some = torch.linspace(0, len(blocks) - 1, count).long()
    ids, mask = blocks.ids[some], blocks.mask[some]
    texts = _tokenizer().batch_decode(ids[:, 1:], skip_special_tokens=True)
    return Blocks(ids, mask, sum(len(each.encode()) for each in texts))
