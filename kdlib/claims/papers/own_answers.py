"""Whose answers: a student of additions that writes half of the working itself."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from kdlib.claims.claim import Arm, Claim, Source
from kdlib.claims.grounds import adding
from kdlib.claims.grounds.costs import operations, steps_for
from kdlib.claims.grounds.learning import FROM_TEACHER, FROM_TEXT, Lesson, learn
from kdlib.claims.rules import Lead
from kdlib.training.rollouts import Rollouts

PROBLEMS, STEPS, SHARE = 400, 700, 0.5
# A student learns to carry within its steps or not yet: one training would choose rates by chance.
TUNING_SEEDS = (100, 101, 102)
QUICK = 10
WRITES = Rollouts(SHARE, adding.PROMPT, adding.NEW)


def _lesson(kind: str, steps: int, quick: bool) -> Lesson:
    alone = kind == "alone"
    return Lesson(
        adding.lesson(PROBLEMS), steps, adding.BATCH, FROM_TEXT if alone else FROM_TEACHER,
        None if alone else adding.exact(PROBLEMS, quick),
        WRITES if kind == "writes half" else None,
    )  # fmt: skip


@functools.cache
def _steps(kind: str) -> int:
    """As many as the student's that writes, or, of equal compute, as its operations pay for."""
    if kind != "reads, equal compute":
        return STEPS
    dear, cheap = (_lesson(each, STEPS, True) for each in ("writes half", "reads"))
    models = adding.new_student(0), adding.teacher(True)
    return steps_for(operations(dear, *models), cheap, *models)


def _train(kind: str, rate: float, seed: int, quick: bool) -> Mapping[str, float]:
    lesson = _lesson(kind, QUICK if quick else _steps(kind), quick)
    return adding.exam(learn(adding.new_student(seed), lesson, rate, seed), seed, quick)


def _arm(kind: str, words: str) -> Arm:
    return Arm(words, functools.partial(_train, kind), adding.RATES)


CLAIM = Claim(
    name="own-answers",
    sentence="Where answers can be checked, a student that writes half of its training answers "
    "itself, corrected by its teacher, gets more of them right than one that has read given ones.",
    source=Source(
        "Agarwal et al., On-Policy Distillation of Language Models: Learning from Self-Generated "
        "Mistakes",
        2024,
        "abstract",
        "T5 students on summaries, translations and sums; gains over reading given outputs",
        "the abstract",
    ),
    arms={
        "alone": _arm("alone", "the problems' own working, no teacher"),
        "reads": _arm("reads", "the teacher on given working, as many steps"),
        "reads, equal compute": _arm("reads, equal compute", "the same, as many operations"),
        "writes half": _arm("writes half", "every second working is its own"),
    },
    equal="problems, student; steps, or operations with the writing among them; each arm is tuned",
    rule=(Lead("right", "writes half", "reads, equal compute", higher=True),),
    rival="What helps is the teacher, or the additional steps; not the writing.",
    rival_rules=(
        Lead("right", "writes half", "reads", higher=True),
        Lead("right", "reads", "alone", higher=True),
        Lead("right", "reads, equal compute", "reads", higher=True),
        Lead("own reverse KL", "writes half", "reads, equal compute"),
        Lead("loss", "reads, equal compute", "writes half"),
    ),
    reach="Additions of three digits; students of 0.07 million parameters and 400 problems.",
    settings=adding.SETTINGS
    | {
        "problems": PROBLEMS,
        "steps": STEPS,
        "share": SHARE,
        "quick": QUICK,
        "tuning seeds": list(TUNING_SEEDS),
    },
    measures=adding.MEASURES,
    tuning_seeds=TUNING_SEEDS,
)
