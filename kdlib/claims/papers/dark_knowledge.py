"""Is it what the teacher says of the other words, or only how unsure it is?"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import torch
from torch import Tensor

from kdlib.claims.claim import Arm, Claim, Source
from kdlib.claims.grounds import pocket
from kdlib.claims.grounds.learning import FROM_TEACHER, FROM_TEXT, Lesson, learn
from kdlib.claims.rules import Lead
from kdlib.teachers.base import TeacherTargets

BLOCKS, STEPS = 96, 96
QUICK = 8


class Changed(TeacherTargets):
    """The teacher's distributions, with what it says of all but one word changed.

    Args:
        how: "shuffled": the same probabilities on other words, drawn once for each position;
            "smoothed": one word keeps its probability, the rest is spread evenly.
    """

    def __init__(self, how: str) -> None:
        self.how = how

    def __call__(self, rows: Tensor, ids: Tensor, own: Tensor | None = None) -> Tensor:
        """Logits (B, S, V) of a few blocks."""
        with torch.no_grad():
            log_p = pocket.exact(BLOCKS)(rows, ids).logits().log_softmax(-1)
        return torch.stack([self._of(int(row), each) for row, each in zip(rows, log_p)])

    def _of(self, row: int, log_p: Tensor) -> Tensor:
        top = log_p.argmax(-1, keepdim=True)
        chance = log_p.gather(-1, top)
        if self.how == "smoothed":
            rest = torch.log1p(-chance.exp()) - torch.log(torch.tensor(log_p.shape[-1] - 1.0))
            return rest.expand_as(log_p).scatter(-1, top, chance)
        order = torch.rand(log_p.shape, generator=torch.Generator().manual_seed(row)).argsort(-1)
        mixed = log_p.gather(-1, order)
        # The likeliest goes back to its word, and what stood there to where that one had come.
        there = (order == top).nonzero()[:, 1:]
        return mixed.scatter(-1, there, mixed.gather(-1, top)).scatter(-1, top, chance)


def _targets(kind: str) -> TeacherTargets | None:
    if kind == "text":
        return None
    return pocket.exact(BLOCKS) if kind == "teacher" else Changed(kind)


def _train(kind: str, rate: float, seed: int, quick: bool) -> Mapping[str, float]:
    targets = _targets(kind)
    objective = FROM_TEXT if targets is None else FROM_TEACHER
    steps = QUICK if quick else STEPS
    lesson = Lesson(pocket.lesson(BLOCKS), steps, pocket.BATCH, objective, targets)
    return pocket.exam(learn(pocket.new_student(seed), lesson, rate, seed))


def _arm(words: str, kind: str) -> Arm:
    return Arm(words, functools.partial(_train, kind), pocket.RATES)


CLAIM = Claim(
    name="dark-knowledge",
    sentence="What a teacher says of the words that it does not favour is knowledge: the same "
    "uncertainty, spread over other words, teaches less.",
    source=Source(
        "Hinton, Vinyals and Dean, Distilling the Knowledge in a Neural Network; against it Yuan et "
        "al., Revisiting Knowledge Distillation via Label Smoothing Regularization (2020)",
        2015,
        "section 1 of the first; abstract of the second",
        "image classes: much of the gain is said to lie in the ratios of very small probabilities; "
        "the second finds that a hand-made teacher, smooth and without them, does as well",
        "the abstracts",
    ),
    arms={
        "teacher": _arm("the teacher's distributions", "teacher"),
        "shuffled": _arm(
            "the favourite as it is, all other probabilities on other words", "shuffled"
        ),
        "smoothed": _arm("the favourite as it is, the rest spread evenly", "smoothed"),
        "text": _arm("the text's words, no teacher", "text"),
    },
    equal="lesson, steps, student; between the first two arms the entropy of every target",
    rule=(Lead("loss", "teacher", "shuffled"), Lead("loss", "teacher", "smoothed")),
    rival="Soft targets help because they are soft: they keep a student from being too sure.",
    rival_rules=(
        Lead("loss", "smoothed", "text"),
        Lead("loss", "shuffled", "text"),
        Lead("loss", "smoothed", "shuffled"),
    ),
    reach="A vocabulary of 4,096 words, in which the favourite is often wrong; in the papers there "
    "are 10 to 1,000 classes, and it is mostly right.",
    settings=pocket.SETTINGS | {"blocks": BLOCKS, "steps": STEPS, "quick": QUICK},
    measures=pocket.MEASURES,
)
