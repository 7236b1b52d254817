"""A student as the draft of its teacher: how many of its tokens are kept?"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from kdlib.claims.claim import VALIDATION, Arm, Claim, Source
from kdlib.claims.grounds import pocket
from kdlib.claims.grounds.costs import operations, steps_for
from kdlib.claims.grounds.drafting import SETTINGS, Counted, kept_of_a_draft, missed
from kdlib.claims.grounds.learning import FROM_TEXT, Lesson, learn
from kdlib.claims.rules import Lead
from kdlib.losses.objectives import Objective

BLOCKS, STEPS, LONGER = 96, 96, 4
RATES = (0.006, 0.012, 0.024, 0.048)
QUICK = 8
PATIENT = "forward KL, patient"
DIVERGENCES = {
    "forward KL": "forward_kl", "reverse KL": "reverse_kl", "total variation": "total_variation",
    PATIENT: "forward_kl",
}  # fmt: skip


def _lesson(kind: str, steps: int) -> Lesson:
    blocks = pocket.lesson(BLOCKS)
    if kind not in DIVERGENCES:
        return Lesson(blocks, steps, pocket.BATCH, FROM_TEXT)
    objective = Objective.from_alpha(1.0, divergence=DIVERGENCES[kind])
    return Lesson(blocks, steps, pocket.BATCH, objective, pocket.exact(BLOCKS))


@functools.cache
def _steps(kind: str) -> int:
    """As many as with a teacher, several times as many, or as a teacher's operations pay for."""
    if kind != "alone, equal compute":
        return LONGER * STEPS if kind == PATIENT else STEPS
    models = pocket.new_student(0), pocket.teacher()
    return steps_for(operations(_lesson("forward KL", STEPS), *models), _lesson(kind, 1), *models)


def _train(kind: str, rate: float, seed: int, quick: bool) -> Mapping[str, float]:
    lesson = _lesson(kind, QUICK if quick else _steps(kind))._replace(
        validation=pocket.text().validation if kind == "alone, equal compute" else None
    )
    student = learn(pocket.new_student(seed), lesson, rate, seed)
    return {
        VALIDATION: missed(student, pocket.text().validation),
        "kept": kept_of_a_draft(student, seed),
        "loss": pocket.exam(student)["loss"],
    }


def _count(rate: float, seed: int, quick: bool) -> Mapping[str, float]:
    return {"kept": kept_of_a_draft(Counted(pocket.lesson(BLOCKS)), seed)}


def _arm(kind: str, words: str) -> Arm:
    return Arm(words, functools.partial(_train, kind), RATES)


CLAIM = Claim(
    name="drafts",
    sentence="A small model that has learned from the large one drafts better for it, in speculative "
    "sampling, than one that has learned from text alone.",
    source=Source(
        "Zhou et al., DistillSpec: Improving Speculative Decoding via Knowledge Distillation",
        2024,
        "abstract",
        "speed-ups of 10 to 45 % over speculative decoding with a draft that was not distilled, on "
        "several benchmarks; own texts and the divergence matter",
        "the abstract",
    ),
    arms={
        "alone": _arm("alone", "from the text, as many steps"),
        "alone, equal compute": _arm(
            "alone, equal compute", "from the text, as many operations, at its best look"
        ),
        **{
            kind: _arm(kind, f"from the teacher, by {kind}, on the given text")
            for kind in DIVERGENCES
            if kind != PATIENT
        },
        PATIENT: _arm(PATIENT, f"{LONGER} times the steps with the teacher, on the same text"),
        "counts": Arm("a table of three tokens, counted in the same text", _count),
    },
    equal="lesson and student; steps, or counted operations; each arm has its best of four rates by "
    "the tokens that are missed on the validation text",
    rule=(Lead("kept", "forward KL", "alone, equal compute", higher=True),),
    rival="The draft is better only because it has been trained for longer; or counting drafts as "
    "well; or what helps is to train on what is measured.",
    rival_rules=(
        Lead("kept", "forward KL", "alone", higher=True),
        Lead("kept", "forward KL", "counts", higher=True),
        Lead("kept", PATIENT, "counts", higher=True),
        Lead("kept", "total variation", "forward KL", higher=True),
        Lead("kept", "reverse KL", "forward KL", higher=True),
    ),
    reach="A teacher of 7 million parameters and passes that judge four tokens; how much faster that "
    "is depends on the machine, and is not measured. The paper also lets the draft write.",
    settings=pocket.SETTINGS
    | SETTINGS
    | {
        "blocks": BLOCKS,
        "steps": STEPS,
        "longer": LONGER,
        "rates": list(RATES),
        "quick": QUICK,
        "divergences": list(DIVERGENCES),
        "beginnings": pocket.BEGINNINGS,
        "beginning": pocket.PROMPT,
        "written": pocket.NEW,
    },  # fmt: skip
    measures={
        VALIDATION: "total variation from the teacher on the validation text",
        "kept": f"tokens kept of {SETTINGS['ahead']} that are drafted, a pass of the teacher",
        "loss": pocket.MEASURES["loss"],
    },
)
