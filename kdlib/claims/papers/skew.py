"""Which divergence teaches fastest, each with its own best rate?"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from kdlib.claims.claim import Arm, Claim, Source
from kdlib.claims.grounds import pocket
from kdlib.claims.grounds.learning import Lesson, learn
from kdlib.claims.rules import Lead
from kdlib.losses.objectives import Objective

BLOCKS, STEPS, ALPHA, BETA = 96, 96, 0.1, 0.5
RATES = (0.006, 0.012, 0.024, 0.048)
QUICK = 8
DIVERGENCES = {
    "forward": ("forward_kl", {}),
    "reverse": ("reverse_kl", {}),
    "skew": ("skew_kl", {"alpha": ALPHA}),
    "skew reverse": ("skew_reverse_kl", {"alpha": ALPHA}),
    "Jensen-Shannon": ("generalized_jsd", {"beta": BETA}),
}


def _train(name: str, rate: float, seed: int, quick: bool) -> Mapping[str, float]:
    divergence, parameters = DIVERGENCES[name]
    objective = Objective.from_alpha(
        1.0, divergence=divergence, divergence_parameters=dict(parameters)
    )
    steps = QUICK if quick else STEPS
    targets = pocket.exact(BLOCKS)
    lesson = Lesson(pocket.lesson(BLOCKS), steps, pocket.BATCH, objective, targets)
    return pocket.exam(learn(pocket.new_student(seed), lesson, rate, seed))


CLAIM = Claim(
    name="skew",
    sentence="A student learns better from a skewed KL, in which a little of the one distribution is "
    "mixed into the other, than from the plain one.",
    source=Source(
        "Ko et al., DistiLLM: Towards Streamlined Distillation for Large Language Models",
        2024,
        "abstract",
        "students of 0.1 to 3 billion parameters following instructions, skew KL together with "
        "replayed own texts, against plain KL in both directions",
        "the abstract",
    ),
    arms={
        name: Arm(f"{name} divergence", functools.partial(_train, name), RATES)
        for name in DIVERGENCES
    },
    equal="lesson, steps, student; each divergence has its own best of four rates",
    rule=(Lead("loss", "skew", "forward"),),
    rival="It is the direction that matters, or the rate; tuned alike, plain KL is as good.",
    rival_rules=(
        Lead("loss", "skew reverse", "reverse"),
        Lead("loss", "forward", "reverse"),
        Lead("loss", "skew reverse", "forward"),
        Lead("loss", "Jensen-Shannon", "forward"),
        Lead("agreement", "skew reverse", "forward", higher=True),
    ),
    reach="Given text and no own texts; the paper's speed comes from replaying these. Loss here is "
    "cross-entropy, which the forward direction is made for; agreement stands beside it.",
    settings=pocket.SETTINGS
    | {
        "blocks": BLOCKS,
        "steps": STEPS,
        "alpha": ALPHA,
        "beta": BETA,
        "rates": list(RATES),
        "quick": QUICK,
    },  # fmt: skip
    measures=pocket.MEASURES,
)
