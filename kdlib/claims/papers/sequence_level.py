"""Texts that a teacher wrote, its distributions, or both?"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import torch

from kdlib.claims.claim import Arm, Claim, Source
from kdlib.claims.grounds import pocket
from kdlib.claims.grounds.learning import FROM_TEACHER, FROM_TEXT, Lesson, learn
from kdlib.claims.rules import Lead
from kdlib.data.blocks import Blocks
from kdlib.sequences.on_policy import sample_batch
from kdlib.teachers.live import PrecomputedTargets

BLOCKS, STEPS, PROMPT = 96, 96, 16
QUICK = 8


@functools.cache
def _written() -> Blocks:
    """The lesson's beginnings, continued by the teacher at temperature 1."""
    given = pocket.lesson(BLOCKS)
    draws = torch.Generator().manual_seed(0)
    texts = sample_batch(
        pocket.teacher(), given.ids[:, :PROMPT], pocket.BLOCK + 1 - PROMPT,
        eos_id=None, generator=draws,
    )  # fmt: skip
    return Blocks(texts.ids, torch.ones_like(given.mask), given.bytes)


@functools.cache
def _exact_there() -> PrecomputedTargets:
    return PrecomputedTargets(pocket.teacher(), _written())


def _train(written: bool, soft: bool, rate: float, seed: int, quick: bool) -> Mapping[str, float]:
    targets = None
    if soft:
        targets = _exact_there() if written else pocket.exact(BLOCKS)
    lesson = Lesson(
        _written() if written else pocket.lesson(BLOCKS), QUICK if quick else STEPS, pocket.BATCH,
        FROM_TEACHER if soft else FROM_TEXT, targets,
    )  # fmt: skip
    return pocket.exam(learn(pocket.new_student(seed), lesson, rate, seed))


def _arm(words: str, written: bool, soft: bool) -> Arm:
    return Arm(words, functools.partial(_train, written, soft), pocket.RATES)


CLAIM = Claim(
    name="sequence-level",
    sentence="Training on texts that the teacher wrote is as good a use of it as its distributions at "
    "each word of given texts.",
    source=Source(
        "Kim and Rush, Sequence-Level Knowledge Distillation",
        2016,
        "abstract",
        "small translation models trained on the teacher's best translations, which did better than "
        "those trained on its distributions word by word, and needed no search",
        "the abstract",
    ),
    arms={
        "given, soft": _arm("given texts, the teacher's distributions", False, True),
        "written, its words": _arm("the teacher's texts, its words only", True, False),
        "written, soft": _arm("the teacher's texts and its distributions there", True, True),
        "given, its words": _arm("given texts, no teacher", False, False),
    },
    equal="beginnings, length and number of texts, steps, student; the teacher reads or writes each "
    "position once",
    rule=(Lead("loss", "written, its words", "given, soft"),),
    rival="What the teacher wrote is only other text, no better than what was given.",
    rival_rules=(
        Lead("loss", "written, its words", "given, its words"),
        Lead("loss", "written, soft", "given, soft"),
        Lead("forward KL", "written, soft", "given, soft"),
        Lead("loss", "given, soft", "given, its words"),
    ),
    reach="Free text at temperature 1, where there is no best answer to a question; translation has "
    "one, and there the teacher's best was used.",
    settings=pocket.SETTINGS | {"blocks": BLOCKS, "steps": STEPS, "prompt": PROMPT, "quick": QUICK},
    measures=pocket.MEASURES,
)
