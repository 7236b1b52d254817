"""Does a temperature above one help a language model to learn?"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from kdlib.claims.claim import Arm, Claim, Source
from kdlib.claims.grounds import pocket
from kdlib.claims.grounds.learning import Lesson, learn
from kdlib.claims.rules import Lead
from kdlib.losses.objectives import Objective

BLOCKS, STEPS = 96, 96
TEMPERATURES = (0.5, 1.0, 2.0, 4.0)
RATES = (0.003, 0.006, 0.012, 0.024)  # one more: another temperature may want another rate
QUICK = 8


def _train(temperature: float, rate: float, seed: int, quick: bool) -> Mapping[str, float]:
    objective = Objective.from_alpha(1.0, temperature=temperature)
    steps = QUICK if quick else STEPS
    targets = pocket.exact(BLOCKS)
    lesson = Lesson(pocket.lesson(BLOCKS), steps, pocket.BATCH, objective, targets)
    return pocket.exam(learn(pocket.new_student(seed), lesson, rate, seed))


CLAIM = Claim(
    name="temperature",
    sentence="A student learns more from distributions that are softened by a temperature above one.",
    source=Source(
        "Hinton, Vinyals and Dean, Distilling the Knowledge in a Neural Network",
        2015,
        "section 3",
        "on digits, where all temperatures above 8 were about alike for a large student, and 2.5 to "
        "4 were the best for a very small one",
        "section 3 as it is cited elsewhere; the paper itself was not opened",
    ),
    arms={
        f"T = {t:g}": Arm(f"both softened by {t:g}, times T²", functools.partial(_train, t), RATES)
        for t in TEMPERATURES
    },
    equal="lesson, steps, student; each temperature has its own best rate",
    rule=(Lead("loss", "T = 2", "T = 1"),),
    rival="Only the step size changes, and a tuned rate undoes it; or the other direction helps.",
    rival_rules=(
        Lead("loss", "T = 4", "T = 1"),
        Lead("loss", "T = 0.5", "T = 1"),
        Lead("calibration", "T = 1", "T = 2"),
        Lead("forward KL", "T = 2", "T = 1"),
    ),
    reach="Distributions over 4,096 words, which are soft as they are; digits are not.",
    settings=pocket.SETTINGS
    | {
        "blocks": BLOCKS,
        "steps": STEPS,
        "temperatures": list(TEMPERATURES),
        "rates": list(RATES),
        "quick": QUICK,
    },  # fmt: skip
    measures=pocket.MEASURES,
)
