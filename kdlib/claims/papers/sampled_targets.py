"""Twelve drawn words of a teacher against its twelve likeliest."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import torch
from torch import Tensor

from kdlib.claims.claim import Arm, Claim, Source
from kdlib.claims.grounds import pocket
from kdlib.claims.grounds.learning import Kept, Lesson, learn
from kdlib.claims.rules import Lead
from kdlib.losses.sparse import SparseTargets, sampled, top_k, with_tail

BLOCKS, STEPS, K = 96, 96, 12
QUICK = 8  # steps


def _drawn(log_p: Tensor, draws: torch.Generator) -> SparseTargets:
    return sampled(log_p, K, draws)


def _likeliest(log_p: Tensor, _: torch.Generator) -> SparseTargets:
    return top_k(log_p, K)


def _with_rest(log_p: Tensor, _: torch.Generator) -> SparseTargets:
    return with_tail(log_p, K)


KEEPING = {"drawn": _drawn, "likeliest": _likeliest, "likeliest and rest": _with_rest}


@functools.cache
def _kept(how: str) -> Kept:
    return Kept(pocket.exact(BLOCKS), pocket.lesson(BLOCKS), KEEPING[how])


def _train(how: str, rate: float, seed: int, quick: bool) -> Mapping[str, float]:
    targets = pocket.exact(BLOCKS) if how == "all" else _kept(how)
    steps = QUICK if quick else STEPS
    lesson = Lesson(pocket.lesson(BLOCKS), steps, pocket.BATCH, targets=targets)
    return pocket.exam(learn(pocket.new_student(seed), lesson, rate, seed))


def _arm(how: str, words: str) -> Arm:
    return Arm(words, functools.partial(_train, how), pocket.RATES)


CLAIM = Claim(
    name="sampled-targets",
    sentence="A few words drawn from the teacher teach better than as many of its likeliest words: "
    "the likeliest are biased, and the student becomes too sure.",
    source=Source(
        "Anshumann et al., Sparse Logit Sampling: Accelerating Knowledge Distillation in LLMs",
        2025,
        "abstract",
        "students of 0.3 to 3 billion parameters, pretrained with sparse targets of a larger one",
        "the abstract",
    ),
    arms={
        "all": _arm("all", "the teacher's whole distributions"),
        "drawn": _arm("drawn", f"{K} draws from each of them"),
        "likeliest": _arm("likeliest", f"their {K} likeliest words, made to sum to one"),
        "likeliest and rest": _arm("likeliest and rest", f"the {K} likeliest, the rest as one"),
    },
    equal="lesson, steps, student and the number of words kept; each arm's rate is tuned alike",
    rule=(Lead("loss", "drawn", "likeliest"), Lead("calibration", "drawn", "likeliest")),
    rival="The bias is only the missing rest: keep it as one more slot, and the likeliest are as "
    "good as the drawn ones.",
    rival_rules=(
        Lead("loss", "drawn", "likeliest and rest"),
        Lead("loss", "likeliest and rest", "likeliest"),
        Lead("calibration", "likeliest and rest", "likeliest"),
        Lead("agreement", "likeliest", "drawn", higher=True),
        Lead("loss", "all", "drawn"),
    ),
    reach="A student of 0.34 million parameters and a lesson of 12,288 tokens, read four times. The "
    "paper's students read billions of tokens once.",
    settings=pocket.SETTINGS | {"blocks": BLOCKS, "steps": STEPS, "k": K, "quick": QUICK},
    measures=pocket.MEASURES,
)
