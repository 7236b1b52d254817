"""Four ways to learn answers: given or written by the teacher, its word soft or hard."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from kdlib.claims.claim import Arm, Claim, Source
from kdlib.claims.grounds import adding
from kdlib.claims.grounds.costs import operations, steps_for
from kdlib.claims.grounds.learning import FROM_TEACHER, FROM_TEXT, Lesson, learn
from kdlib.claims.rules import Lead

PROBLEMS, STEPS = 400, 700
RATES = (0.0025, 0.005, 0.01)  # twice the ground's own: half of the text counts
# A student learns to carry within its steps or not yet: one training would choose rates by chance.
TUNING_SEEDS = (100, 101)
QUICK = 10
ARMS = {
    "SFT": "the given answers, no teacher",
    "SFT, equal compute": "the same, as many operations as with soft targets",
    "soft, given": "the teacher's distributions along the given answers",
    "SFT, written": "answers that the teacher drew to the same questions, nothing else of it",
    "soft, written": "the teacher's distributions along the answers that it drew",
}


def _lesson(kind: str, steps: int, quick: bool) -> Lesson:
    written, soft = kind.endswith("written"), kind.startswith("soft")
    blocks = adding.teachers_answers(PROBLEMS, quick) if written else adding.given_answers(PROBLEMS)
    return Lesson(
        blocks, steps, adding.BATCH, FROM_TEACHER if soft else FROM_TEXT,
        adding.exact(PROBLEMS, quick, written) if soft else None,
    )  # fmt: skip


@functools.cache
def _steps(kind: str) -> int:
    if kind != "SFT, equal compute":
        return STEPS
    models = adding.new_student(0), adding.teacher(True)
    soft, hard = (_lesson(each, STEPS, True) for each in ("soft, given", "SFT"))
    return steps_for(operations(soft, *models), hard, *models)


def _train(kind: str, rate: float, seed: int, quick: bool) -> Mapping[str, float]:
    lesson = _lesson(kind, QUICK if quick else _steps(kind), quick)
    return adding.exam_of_answers(learn(adding.new_student(seed), lesson, rate, seed))


CLAIM = Claim(
    name="four-arms",
    sentence="On the same questions, a student of the teacher's soft targets gets more answers right "
    "than supervised fine-tuning on the given answers.",
    source=Source(
        "Kim and Rush, Sequence-Level Knowledge Distillation",
        2016,
        "abstract",
        "a small translator learns more from its teacher's own translations than from given ones, "
        "and needs no beam search then; tried here with answers that are drawn",
        "the abstract",
    ),
    arms={kind: Arm(words, functools.partial(_train, kind), RATES) for kind, words in ARMS.items()},
    equal="questions and student; steps, or operations with the teacher's among them (not those of "
    "writing the answers); only the answers count; each arm is tuned",
    rule=(Lead("right", "soft, given", "SFT, equal compute", higher=True),),
    rival="What helps is more steps, or any word of the teacher, not its distributions.",
    rival_rules=(
        Lead("right", "soft, given", "SFT", higher=True),
        Lead("right", "SFT, written", "SFT", higher=True),
        Lead("right", "soft, written", "SFT, written", higher=True),
        Lead("right", "soft, given", "soft, written", higher=True),
    ),
    reach="Additions of three digits, whose given answers are all right; students of 0.07 million "
    "parameters and 400 questions.",
    settings=adding.SETTINGS
    | {
        "rates": list(RATES),
        "questions": PROBLEMS,
        "steps": STEPS,
        "quick": QUICK,
        "tuning seeds": list(TUNING_SEEDS),
    },  # fmt: skip
    measures=adding.ANSWER_MEASURES,
    tuning_seeds=TUNING_SEEDS,
)
