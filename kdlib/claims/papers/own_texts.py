"""Whose texts: a student of real text that writes half of them itself."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from kdlib.claims.claim import Arm, Claim, Source
from kdlib.claims.grounds import pocket
from kdlib.claims.grounds.costs import operations, steps_for
from kdlib.claims.grounds.learning import Lesson, learn
from kdlib.claims.rules import Above, Lead
from kdlib.training.rollouts import Rollouts

BLOCKS, STEPS, SHARE, PROMPT = 96, 96, 0.5, 16
QUICK = 4
RATES = (0.006, 0.012, 0.024, 0.048)  # what a student writes itself may want a higher one
NEW = pocket.BLOCK + 1 - PROMPT
WRITES = Rollouts(SHARE, PROMPT, NEW)


def _lesson(writes: bool, steps: int) -> Lesson:
    return Lesson(
        pocket.lesson(BLOCKS), steps, pocket.BATCH,
        targets=pocket.exact(BLOCKS), rollouts=WRITES if writes else None,
    )  # fmt: skip


@functools.cache
def _equal_compute() -> int:
    """Steps of reading that take as many operations as reading, writing and being judged."""
    dear, cheap = (_lesson(writes, STEPS) for writes in (True, False))
    models = pocket.new_student(0), pocket.teacher()
    return steps_for(operations(dear, *models), cheap, *models)


def _train(
    writes: bool, equal_compute: bool, rate: float, seed: int, quick: bool
) -> Mapping[str, float]:
    steps = QUICK if quick else _equal_compute() if equal_compute else STEPS
    student = learn(pocket.new_student(seed), _lesson(writes, steps), rate, seed)
    return pocket.writing_exam(student, seed)


def _arm(words: str, writes: bool, equal_compute: bool = False) -> Arm:
    return Arm(words, functools.partial(_train, writes, equal_compute), RATES)


CLAIM = Claim(
    name="own-texts",
    sentence="A student that writes half of its training texts itself is nearer to its teacher, on "
    "what it writes, than one that has only read given texts.",
    source=Source(
        "Agarwal et al., On-Policy Distillation of Language Models: Learning from Self-Generated "
        "Mistakes",
        2024,
        "abstract",
        "T5 students on summaries, translations and sums, fine-tuned with and without own outputs; "
        "judged by task scores",
        "the abstract",
    ),
    arms={
        "reads": _arm("given texts only, as many steps", False),
        "reads, equal compute": _arm("given texts only, as many operations", False, True),
        "writes half": _arm(f"every second text is its own, from its {PROMPT}th token", True),
    },
    equal="lesson, student, teacher outputs; in the second arm operations, writing among them",
    rule=(Lead("own reverse KL", "writes half", "reads, equal compute"),),
    rival="There is nothing to repair: on its own words the student is no farther from its teacher "
    "than on the teacher's (no exposure bias), or these words are merely easier to agree on.",
    rival_rules=(
        Lead("own reverse KL", "writes half", "reads"),
        Lead("own forward KL", "writes half", "reads, equal compute"),
        Lead("loss", "reads, equal compute", "writes half"),
        Above("exposure bias", "reads"),
        Above("surplus of entropy", "reads"),
    ),
    reach="Students that begin with nothing, where the paper's had been fine-tuned before (see "
    "read-then-write). Free text, a student of 0.34 million parameters, 112 tokens a text. The "
    "paper judged answers to tasks, which free text does not have.",
    settings=pocket.SETTINGS
    | {
        "blocks": BLOCKS,
        "steps": STEPS,
        "share": SHARE,
        "prompt": PROMPT,
        "quick": QUICK,
        "rates": list(RATES),
        "beginnings": pocket.BEGINNINGS,
        "beginning": pocket.PROMPT,
        "written": pocket.NEW,
    },  # fmt: skip
    measures=pocket.WRITING_MEASURES,
)
