"""Does the better teacher make the better student? It may depend on how much text there is."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from kdlib.claims.claim import Arm, Claim, Source
from kdlib.claims.grounds import pocket, teachers
from kdlib.claims.grounds.learning import Lesson, learn
from kdlib.claims.rules import Lead

LESSONS = {"little": (96, 192), "little, longer": (96, 768), "more": (768, 768)}  # blocks, steps
RATES = (0.003, 0.006, 0.012, 0.024)
QUICK = 16


def _train(size: str, name: str, rate: float, seed: int, quick: bool) -> Mapping[str, float]:
    blocks, steps = LESSONS["little" if quick else size]
    lesson = Lesson(
        pocket.lesson(blocks), QUICK if quick else steps, pocket.BATCH,
        targets=teachers.exact(name, quick, blocks), validation=pocket.text().validation,
    )  # fmt: skip
    student = learn(pocket.new_student(seed), lesson, rate, seed)
    return teachers.exam(student, name, quick)


def _arm(size: str, teacher: str) -> Arm:
    blocks, steps = LESSONS[size]
    words = f"{blocks * pocket.BLOCK:,} tokens, {steps} steps, taught by the {teacher} teacher"
    return Arm(words, functools.partial(_train, size, teacher), RATES)


CLAIM = Claim(
    name="lesser-teacher",
    sentence="On little text a teacher that knows less makes the better student; with more text the "
    "better teacher does.",
    source=Source(
        "Cho and Hariharan, On the Efficacy of Knowledge Distillation",
        2019,
        "abstract",
        "networks for pictures: larger and more accurate teachers often do not make better students, "
        "and a teacher that was stopped early may; of the amount of data it says nothing",
        "the abstract",
    ),
    arms={
        f"{size}, {teacher}": _arm(size, teacher)
        for size in LESSONS
        for teacher in (teachers.SHIPPED, teachers.SMALL)
    },
    equal="student, lesson and steps within a size, the best of eight looks; each arm has its best of "
    "four rates",
    rule=(
        Lead("loss", "little, small", "little, shipped"),
        Lead("loss", "more, shipped", "more, small"),
    ),
    rival="The lesser teacher is the better one at either size; or the better one at both, and the "
    "claim capacity-gap was an accident; or it is the number of steps that turns the order.",
    rival_rules=(
        Lead("loss", "little, longer, small", "little, longer, shipped"),
        Lead("loss", "more, small", "little, small"),
        Lead("loss", "more, shipped", "little, shipped"),
        Lead("calibration", "more, shipped", "more, small"),
    ),
    reach="Two sizes of text, one student and two teachers, the lesser of the student's own shape. "
    "Both teachers have read all the text that the lessons are taken from.",
    settings=pocket.SETTINGS
    | teachers.SETTINGS
    | {
        "lessons": {size: list(each) for size, each in LESSONS.items()},
        "rates": list(RATES),
        "quick": QUICK,
    },  # fmt: skip
    measures=teachers.MEASURES,
)
