"""A student cut out of its teacher against one that begins with nothing, with a teacher and without."""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping

import torch
from torch import nn

from kdlib.claims.claim import Arm, Claim, Source
from kdlib.claims.grounds import pocket, teachers
from kdlib.claims.grounds.learning import FROM_TEACHER, FROM_TEXT, Lesson, learn
from kdlib.claims.rules import Lead
from kdlib.models.pruning import Pruning

KEPT = Pruning(layers=2, mlp_share=0.5)
BLOCKS, STEPS, MORE = 192, 96, 4
RATES = (0.00016, 0.0004, 0.001, 0.0025, 0.006, 0.015)
QUICK = 2


def _begun(pruned: bool, seed: int) -> nn.Module:
    """A student before its first step: a copy of the cut, or new weights in its shape."""
    cut = teachers.cut(KEPT)
    if pruned:
        begun: nn.Module = copy.deepcopy(cut)
        return begun
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        new: nn.Module = type(cut)(cut.config)
    return new


def _train(
    pruned: bool, taught: bool, more: int, rate: float, seed: int, quick: bool
) -> Mapping[str, float]:
    blocks = more * BLOCKS
    lesson = Lesson(
        pocket.lesson(BLOCKS if quick else blocks),
        QUICK if quick else more * STEPS,
        pocket.BATCH,
        FROM_TEACHER if taught else FROM_TEXT,
        pocket.exact(BLOCKS if quick else blocks) if taught else None,
        validation=pocket.text().validation,
    )
    return pocket.exam(learn(_begun(pruned, seed), lesson, rate, seed))


def _arm(words: str, pruned: bool, taught: bool, more: int = 1) -> Arm:
    return Arm(words, functools.partial(_train, pruned, taught, more), RATES)


CLAIM = Claim(
    name="pruned",
    sentence="A student that is cut out of its teacher and then taught by it is ahead of a new one of "
    "the same shape that learns from several times as much text.",
    source=Source(
        "Muralidharan et al., Compact Language Models via Pruning and Knowledge Distillation "
        "(Minitron)",
        2024,
        "abstract",
        "Nemotron-4 of 15 billion parameters cut to 8 and 4 billion: up to 40 times fewer training "
        "tokens than from scratch, and better scores",
        "the abstract",
    ),
    arms={
        "pruned, taught": _arm("cut out of the teacher, then taught by it", True, True),
        "pruned, alone": _arm("cut out, then from the text", True, False),
        "new, taught": _arm("new weights, taught", False, True),
        "new, alone": _arm("new weights, from the text", False, False),
        "pruned, alone, more": _arm(
            f"cut out, {MORE} times the text and the steps", True, False, MORE
        ),
        "new, alone, more": _arm(
            f"new weights, {MORE} times the text and the steps", False, False, MORE
        ),
    },
    equal="shape; text and steps, but for the last two; the best of eight looks; each arm has its "
    "best of six rates",
    rule=(Lead("loss", "pruned, taught", "new, alone, more"),),
    rival="The weights that were kept do it all, and no teacher is needed afterwards; or the teacher "
    "does it all, and new weights would do.",
    rival_rules=(
        Lead("loss", "pruned, taught", "pruned, alone"),
        Lead("loss", "pruned, taught", "pruned, alone, more"),
        Lead("loss", "pruned, taught", "new, taught"),
        Lead("loss", "new, taught", "new, alone"),
        Lead("loss", "pruned, alone", "new, taught"),
    ),
    reach="A cut from 7.4 to 2.9 million parameters and at most 98,304 tokens. Four times as much "
    "text is not forty; the paper's teacher had read trillions.",
    settings=pocket.SETTINGS
    | {
        "kept layers": KEPT.layers,
        "kept neurons": KEPT.mlp_share,
        "probed": teachers.PROBED,
        "blocks": BLOCKS,
        "steps": STEPS,
        "more": MORE,
        "rates": list(RATES),
        "quick": QUICK,
    },  # fmt: skip
    measures=pocket.MEASURES,
    seeds=(0, 1, 2),
)
