"""Additions with their working, whose answers a program checks: the text of the recipe `sums`.

Tokens are bytes. A block is one problem between two ends. The teacher (a third of a million
parameters) is trained on all training problems, a student (seventy thousand) on a few of them.
"""

from __future__ import annotations

import functools
import random
from typing import Any

import torch
from torch import Tensor, nn

from kdlib.claims.grounds.learning import FROM_TEXT, Lesson, learn, nats
from kdlib.claims.grounds.writing import on_words_of
from kdlib.data.blocks import Blocks
from kdlib.data.sums import is_right, question, sums
from kdlib.models.from_scratch import ModelSize, new_model
from kdlib.models.frozen import freeze
from kdlib.teachers.live import PrecomputedTargets

END, VOCABULARY = 256, 257
TEACHER = ModelSize(width=96, layers=3, heads=4)
STUDENT = ModelSize(width=48, layers=2, heads=2)
TEACHER_STEPS, TEACHER_BATCH, TEACHER_RATE = 1500, 64, 3e-3
QUICK_TEACHER = 20  # steps
BATCH = 32
RATES = (0.00125, 0.0025, 0.005)
VALIDATION, TEST = 300, 500  # problems
PROMPT, NEW = 9, 14  # tokens: an end and the question; the working and an end
SETTINGS: dict[str, Any] = {
    "teacher": [96, 3, 4], "student": [48, 2, 2], "teacher's steps": TEACHER_STEPS,
    "teacher's batch": TEACHER_BATCH, "teacher's rate": TEACHER_RATE, "batch": BATCH,
    "rates": list(RATES), "validation": VALIDATION, "test": TEST,
}  # fmt: skip
MEASURES = {
    "validation": "cross-entropy on the validation problems, nats per token",
    "right": "share of the test problems that are solved, likeliest token by token",
    "loss": "cross-entropy on the test problems, nats per token",
    "own reverse KL": "KL(Q‖P) on what the student writes after a question, nats per token",
}

ANSWER_MEASURES = {
    "validation": "cross-entropy on the answers to the validation problems, nats per token",
    "right": MEASURES["right"],
    "loss": "cross-entropy on the answers to the test problems, nats per token",
}


@functools.cache
def problems() -> list[str]:
    """All problems in an order of their own: validation, test, then training."""
    texts = [document.text for document in sums()]
    random.Random(1).shuffle(texts)
    return texts


def validation() -> Blocks:
    """Problems for tuning."""
    return _blocks(tuple(problems()[:VALIDATION]))


def test() -> list[str]:
    """Problems of the exam."""
    return problems()[VALIDATION : VALIDATION + TEST]


@functools.cache
def lesson(count: int | None) -> Blocks:
    """So many training problems; None: all."""
    training = problems()[VALIDATION + TEST :]
    return _blocks(tuple(training[:count]))


@functools.cache
def teacher(quick: bool) -> nn.Module:
    """Trained on all training problems; in a quick form hardly."""
    steps = QUICK_TEACHER if quick else TEACHER_STEPS
    course = Lesson(lesson(None), steps, TEACHER_BATCH, FROM_TEXT)
    return freeze(learn(_model(TEACHER, seed=0), course, TEACHER_RATE, seed=0))


def given_answers(count: int) -> Blocks:
    """Training problems as records: the question is read, the working and its end are learned."""
    return _as_records(lesson(count).ids)


@functools.cache
def teachers_answers(count: int, quick: bool) -> Blocks:
    """The same questions with the working that the teacher draws, at temperature 1. Those that have
    not ended by then are left out, and counted by who looks at how many there are."""
    model: Any = teacher(quick)
    generator = torch.Generator().manual_seed(0)
    texts = lesson(count).ids[:, :PROMPT]
    with torch.no_grad():  # only here: the teacher may have to be trained first
        for _ in range(NEW):
            drawn = model(input_ids=texts).logits[:, -1].softmax(-1)
            texts = torch.cat([texts, drawn.multinomial(1, generator=generator)], dim=1)
    ended = (texts[:, PROMPT:] == END).any(1)
    # Of a quick form's teacher hardly one ends: it has all of them then, to have any.
    return _as_records(texts if quick else texts[ended])


def _as_records(ids: Tensor) -> Blocks:
    """Rows (N, S) of which only what stands after the question is learned, up to its end."""
    behind = torch.arange(ids.shape[1]) >= PROMPT
    ends = ((ids == END) & behind).cumsum(1)
    mask = ((ends == 0) | ((ends == 1) & (ids == END))).long()
    return Blocks(ids, mask, 0, answer=(behind & mask.bool()).int())


@functools.cache
def exact(count: int, quick: bool, written: bool = False) -> PrecomputedTargets:
    """The teacher's whole distributions at every position of a lesson, or of what it wrote itself."""
    return PrecomputedTargets(
        teacher(quick), teachers_answers(count, quick) if written else lesson(count)
    )


def new_student(seed: int) -> nn.Module:
    """A student before its first step."""
    return _model(STUDENT, seed)


def exam(student: nn.Module, seed: int, quick: bool) -> dict[str, float]:
    """The `MEASURES` of a student."""
    blocks = _blocks(tuple(test()))
    own = on_words_of(student, student, teacher(quick), blocks.ids[:, :PROMPT], NEW, seed)
    return {
        "validation": nats(student, validation()),
        "right": share_right(student),
        "loss": nats(student, blocks),
        "own reverse KL": own.reverse_kl,
    }


def exam_of_answers(student: nn.Module) -> dict[str, float]:
    """The `ANSWER_MEASURES` of a student that has learned the answers alone."""
    return {
        "validation": nats(student, _as_records(validation().ids)),
        "right": share_right(student),
        "loss": nats(student, _as_records(_blocks(tuple(test())).ids)),
    }


@torch.no_grad()
def share_right(model: Any) -> float:
    """Of the test problems that a model solves, taking the likeliest token each time."""
    ids = _blocks(tuple(test())).ids
    longest = ids.shape[1]
    texts = ids[:, :PROMPT]
    while texts.shape[1] < longest:  # short, so that a cache of keys would save little
        texts = torch.cat([texts, model(input_ids=texts).logits[:, -1:].argmax(-1)], dim=1)
    return sum(is_right(_text(row)) for row in texts.tolist()) / len(texts)


def _model(size: ModelSize, seed: int) -> nn.Module:
    return new_model(size, VOCABULARY, 64, seed)


def _text(ids: list[int]) -> str:
    """The problem between two ends; what is no byte of a text is dropped."""
    return bytes(each for each in ids if each != END).decode("ascii", errors="replace")


@functools.cache
def _blocks(texts: tuple[str, ...]) -> Blocks:
    ids = torch.tensor([[END, *text.encode(), END] for text in texts])
    assert (len(question(texts[0])) + 1, ids.shape[1]) == (PROMPT, PROMPT + NEW)
    return Blocks(ids, torch.ones_like(ids), sum(map(len, texts)))
