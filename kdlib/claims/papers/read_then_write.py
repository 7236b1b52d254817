"""Whose texts, later: a student that has read for a while, and then writes half of them itself."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from torch import nn

from kdlib.claims.claim import Arm, Claim, Source
from kdlib.claims.grounds import pocket
from kdlib.claims.grounds.costs import ahead, operations, steps_for
from kdlib.claims.grounds.learning import Lesson, learn
from kdlib.claims.papers.own_texts import NEW, PROMPT, WRITES
from kdlib.claims.rules import Lead

BLOCKS, READ, WRITE = 96, 228, 96  # blocks of the lesson; steps of the first and the second part
READ_RATE = 0.012  # of the first part, which all arms share
FRESH = 2 * WRITE  # blocks that were not read before: as many as are written
RATES = (0.0015, 0.003, 0.006, 0.012, 0.024, 0.048)
QUICK = 4


def _lesson(kind: str, steps: int) -> Lesson:
    blocks = FRESH if kind == "reads new text" else BLOCKS
    return Lesson(
        pocket.lesson(blocks), steps, pocket.BATCH, targets=pocket.exact(blocks),
        rollouts=WRITES if kind == "writes half" else None,
    )  # fmt: skip


@functools.cache
def _steps(kind: str) -> int:
    """As many as the operations of the part that writes pay for.

    What the teacher says of the first lesson has been asked before, and is not paid again.
    """
    models = pocket.new_student(0), pocket.teacher()
    asked = ahead(_lesson("reads on", 1), pocket.teacher())
    spent = operations(_lesson("writes half", WRITE), *models) - asked
    free = 0 if kind == "reads new text" else asked
    return WRITE if kind == "writes half" else steps_for(spent + free, _lesson(kind, 1), *models)


def _reader(seed: int, quick: bool) -> nn.Module:
    """The student after the first part."""
    first = _lesson("reads on", QUICK if quick else READ)
    return learn(pocket.new_student(seed), first, READ_RATE, seed)


def _train(kind: str, rate: float, seed: int, quick: bool) -> Mapping[str, float]:
    student = _reader(seed, quick)
    if kind != "stops":
        second = _lesson(kind, QUICK if quick else _steps(kind))
        student = learn(student, second, rate, seed + 1)
    return pocket.writing_exam(student, seed)


def _arm(kind: str, words: str) -> Arm:
    return Arm(words, functools.partial(_train, kind), () if kind == "stops" else RATES)


CLAIM = Claim(
    name="read-then-write",
    sentence="A student that has read for a while comes nearer to its teacher, on what it writes, by "
    "writing half of its further texts itself than by reading on.",
    source=Source(
        "Agarwal et al., On-Policy Distillation of Language Models: Learning from Self-Generated "
        "Mistakes",
        2024,
        "abstract",
        "T5 students that had been fine-tuned before, on summaries, translations and sums; gains over "
        "reading given outputs, judged by task scores",
        "the abstract",
    ),
    arms={
        "stops": _arm("stops", f"{READ} steps with given texts, no second part"),
        "reads on": _arm("reads on", "goes on with the same texts"),
        "reads new text": _arm("reads new text", f"goes on with {FRESH} blocks not read before"),
        "writes half": _arm("writes half", f"{WRITE} steps in which it writes half of the texts"),
    },
    equal="the first part; the operations of the second, the teacher's and the writing among them; "
    "between the last two also the number of texts that the teacher is asked about",
    rule=(Lead("own reverse KL", "writes half", "reads on"),),
    rival="What pays is text that was not read before, whoever wrote it.",
    rival_rules=(
        Lead("own reverse KL", "writes half", "reads new text"),
        Lead("loss", "writes half", "reads on"),
        Lead("loss", "writes half", "reads new text"),
        Lead("own reverse KL", "reads on", "stops"),
    ),
    reach="Free text, a student of 0.34 million parameters, one length of the first part. The paper "
    "judged answers to tasks, which free text does not have.",
    settings=pocket.SETTINGS
    | {
        "blocks": BLOCKS,
        "read": READ,
        "write": WRITE,
        "read rate": READ_RATE,
        "fresh": FRESH,
        "share": WRITES.share,
        "prompt": PROMPT,
        "new": NEW,
        "rates": list(RATES),
        "quick": QUICK,
        "beginnings": pocket.BEGINNINGS,
        "beginning": pocket.PROMPT,
        "written": pocket.NEW,
    },  # fmt: skip
    measures=pocket.WRITING_MEASURES,
)
