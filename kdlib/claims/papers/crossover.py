"""From how much text on does a student do without its teacher?"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from kdlib.claims.claim import Arm, Claim, Source
from kdlib.claims.grounds import pocket
from kdlib.claims.grounds.costs import operations, steps_for
from kdlib.claims.grounds.learning import FROM_TEACHER, FROM_TEXT, Lesson, learn
from kdlib.claims.rules import Lead

SIZES = {24: 48, 96: 96, 384: 192, 1536: 384}  # blocks of text: steps of the student with a teacher
QUICK = 4


def _lesson(taught: bool, blocks: int, steps: int) -> Lesson:
    return Lesson(
        pocket.lesson(blocks), steps, pocket.BATCH, FROM_TEACHER if taught else FROM_TEXT,
        pocket.exact(blocks) if taught else None, validation=pocket.text().validation,
    )  # fmt: skip


@functools.cache
def _steps(taught: bool, blocks: int) -> int:
    """With a teacher as planned; without, as many as its operations pay for."""
    if taught:
        return SIZES[blocks]
    dear, cheap = (_lesson(each, blocks, SIZES[blocks]) for each in (True, False))
    models = pocket.new_student(0), pocket.teacher()
    return steps_for(operations(dear, *models), cheap, *models)


def _train(taught: bool, blocks: int, rate: float, seed: int, quick: bool) -> Mapping[str, float]:
    blocks = min(SIZES) if quick else blocks
    steps = QUICK if quick else _steps(taught, blocks)
    return pocket.exam(learn(pocket.new_student(seed), _lesson(taught, blocks, steps), rate, seed))


def _arm(taught: bool, blocks: int) -> Arm:
    words = f"{blocks * pocket.BLOCK:,} tokens, " + (
        "with the teacher" if taught else "without, as many operations, at its best look"
    )
    return Arm(words, functools.partial(_train, taught, blocks), pocket.RATES)


CLAIM = Claim(
    name="crossover",
    sentence="With little text a teacher pays; with enough text and the same operations, a student "
    "that learns from the text alone overtakes.",
    source=Source(
        "Busbridge et al., Distillation Scaling Laws",
        2025,
        "abstract",
        "students and teachers from 143 million to 12.6 billion parameters; supervised learning wins "
        "with enough data or compute, unless the teacher exists already or serves several students",
        "the abstract",
    ),
    arms={
        f"{name} {blocks}": _arm(taught, blocks)
        for blocks in SIZES
        for name, taught in (("taught", True), ("alone", False))
    },
    equal="lesson, counted operations (the teacher's reading among them), student; the best of eight "
    "looks; each arm has its best of three rates",
    rule=(
        Lead("loss", "taught 24", "alone 24"),
        Lead("loss", "alone 1536", "taught 1536"),
    ),
    rival="The teacher leads at every size that was tried, or at none.",
    rival_rules=(
        Lead("loss", "taught 96", "alone 96"),
        Lead("loss", "taught 384", "alone 384"),
        Lead("loss", "taught 1536", "alone 1536"),
    ),
    reach="Up to 196,608 tokens, of which the largest lesson is read once. The teacher has read ten "
    "times as much, and its own training is in nobody's budget.",
    settings=pocket.SETTINGS
    | {"sizes": {str(blocks): steps for blocks, steps in SIZES.items()}, "quick": QUICK},
    measures=pocket.MEASURES,
    seeds=(0, 1, 2),
)
