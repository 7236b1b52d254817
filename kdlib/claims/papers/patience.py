"""A student that is trained for long on little text, with a teacher and without."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from kdlib.claims.claim import Arm, Claim, Source
from kdlib.claims.grounds import pocket
from kdlib.claims.grounds.learning import FROM_TEACHER, FROM_TEXT, Lesson, learn
from kdlib.claims.rules import Lead

BLOCKS, STEPS, LONGER = 96, 96, 4
QUICK = 8


def _train(
    taught: bool, blocks: int, steps: int, rate: float, seed: int, quick: bool
) -> Mapping[str, float]:
    lesson = Lesson(
        pocket.lesson(blocks),
        QUICK if quick else steps,
        pocket.BATCH,
        FROM_TEACHER if taught else FROM_TEXT,
        pocket.exact(blocks) if taught else None,
        validation=pocket.text().validation,
    )
    return pocket.exam(learn(pocket.new_student(seed), lesson, rate, seed))


def _arm(words: str, taught: bool, blocks: int, steps: int) -> Arm:
    return Arm(words, functools.partial(_train, taught, blocks, steps), pocket.RATES)


CLAIM = Claim(
    name="patience",
    sentence="A student with a teacher goes on to gain from a fixed lesson for many more steps.",
    source=Source(
        "Beyer et al., Knowledge distillation: A good teacher is patient and consistent",
        2022,
        "abstract",
        "a ResNet-50 distilled from a large vision model over up to thousands of epochs of augmented "
        "images",
        "the abstract",
    ),
    arms={
        "taught": _arm(f"{STEPS} steps with the teacher", True, BLOCKS, STEPS),
        "taught, patient": _arm(f"{LONGER} times as many", True, BLOCKS, LONGER * STEPS),
        "alone": _arm(f"{STEPS} steps without", False, BLOCKS, STEPS),
        "alone, patient": _arm(
            f"{LONGER} times as many, at its best look", False, BLOCKS, LONGER * STEPS
        ),
        "alone, new text": _arm(
            "without a teacher, the patient student's steps, each on text not read before",
            False,
            LONGER * STEPS * pocket.BATCH,
            LONGER * STEPS,
        ),
    },
    equal="lesson, order of blocks and student; steps within each pair; the best of eight looks",
    rule=(Lead("loss", "taught, patient", "taught", by=0.1),),
    rival="Patience pays without a teacher just as well; or what pays is reading more, and new text does it "
    "as well.",
    rival_rules=(
        Lead("loss", "alone, patient", "alone"),
        Lead("loss", "taught, patient", "alone, patient"),
        Lead("loss", "taught, patient", "alone, new text"),
    ),
    reach="Four times the steps, on 12,288 tokens; the paper went thousands of times over its data "
    "and changed the images each time, which text does not allow.",
    settings=pocket.SETTINGS | {"blocks": BLOCKS, "steps": STEPS, "longer": LONGER, "quick": QUICK},
    measures=pocket.MEASURES,
)
