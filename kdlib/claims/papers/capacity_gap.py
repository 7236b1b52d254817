"""Is a teacher too large for a small student, and does an assistant of middle size help?"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from kdlib.claims.claim import Arm, Claim, Source
from kdlib.claims.grounds import pocket, teachers
from kdlib.claims.grounds.learning import Lesson, learn
from kdlib.claims.rules import Lead

BLOCKS, STEPS = 96, 192
WIDTHS = {"narrow": 16, "wide": 64}
RATES = (0.006, 0.012, 0.024, 0.048, 0.096)  # a narrow student wants a higher one
# At 0.096 a narrow student learns or does not: one training would choose that rate by chance.
TUNING_SEEDS = (100, 101, 102)
QUICK = 16
TEACHERS = (teachers.SHIPPED, *teachers.ASSISTANTS, teachers.SMALL)


def _train(width: int, name: str, rate: float, seed: int, quick: bool) -> Mapping[str, float]:
    lesson = Lesson(
        pocket.lesson(BLOCKS), QUICK if quick else STEPS, pocket.BATCH,
        targets=teachers.exact(name, quick, BLOCKS), validation=pocket.text().validation,
    )  # fmt: skip
    student = learn(pocket.new_student(seed, width), lesson, rate, seed)
    return teachers.exam(student, name, quick)


def _arm(student: str, teacher: str) -> Arm:
    words = f"a student of width {WIDTHS[student]}, taught by: {teacher}"
    return Arm(words, functools.partial(_train, WIDTHS[student], teacher), RATES)


CLAIM = Claim(
    name="capacity-gap",
    sentence="A small student learns more from an assistant of middle size, which has itself learned "
    "from the large teacher, than from the large teacher.",
    source=Source(
        "Mirzadeh et al., Improved Knowledge Distillation via Teacher Assistant",
        2020,
        "abstract",
        "convolutional networks on CIFAR and ImageNet: a student's accuracy falls when its teacher "
        "is too large for it, and an assistant between them helps",
        "the abstract",
    ),
    arms={
        f"{student}, {teacher}": _arm(student, teacher)
        for student in WIDTHS
        for teacher in TEACHERS
    },
    equal="lesson, steps, the best of eight looks; each arm has its best of five rates, "
    "by three trainings",
    rule=(Lead("loss", "narrow, three blocks", "narrow, shipped"),),
    rival="The better teacher makes the better student, at either width; or the gap opens only "
    "farther down.",
    rival_rules=(
        Lead("loss", "narrow, two half blocks", "narrow, shipped"),
        Lead("loss", "narrow, shipped", "narrow, small"),
        Lead("loss", "wide, three blocks", "wide, shipped"),
        Lead("loss", "wide, two half blocks", "wide, shipped"),
        Lead("loss", "wide, shipped", "wide, small"),
        Lead("agreement", "narrow, three blocks", "narrow, shipped", higher=True),
    ),
    reach="A teacher of 7.4 million parameters, assistants of 5 and 3 million with one training each, "
    "students of 0.07 and 0.36 million. The paper's gap is one of accuracy, in pictures.",
    settings=pocket.SETTINGS
    | teachers.SETTINGS
    | {
        "blocks": BLOCKS,
        "steps": STEPS,
        "widths": WIDTHS,
        "rates": list(RATES),
        "quick": QUICK,
    },  # fmt: skip
    measures=teachers.MEASURES,
    tuning_seeds=TUNING_SEEDS,
)
