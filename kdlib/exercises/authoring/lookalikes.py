"""What is computed in place of KL(P||Q), and the mistake that it shows.

Many exercises ask for KL and something around it: a temperature, a mask, a mean. What stands for KL
may be wrong in each of them in the same ways; `name_lookalikes` writes all of them down at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from kdlib.exercises.authoring.kl import kl_of_logs
from kdlib.exercises.authoring.rules import matches
from kdlib.exercises.authoring.switches import Row
from kdlib.exercises.kinds.functions import CodeExercise
from kdlib.losses.divergences import (
    cross_entropy,
    entropy,
    forward_kl,
    jensen_shannon,
    reverse_kl,
    symmetric_kl,
    total_variation,
)

Divergence = Callable[[Tensor, Tensor], Tensor]  # log-probabilities (..., V) twice -> (...)


def name_lookalikes(
    exercise: CodeExercise, around: Callable[[Divergence], Callable[..., Any]], p: str = "teacher"
) -> None:
    """Name the answers that are right but for what they take for KL(P||Q).

    around(divergence): the answer that has this divergence in the place of KL. p: what P is.
    """
    for misconception, seen, expected, *stand_ins in LOOKALIKES:
        seen, expected = (text.replace("teacher", p) for text in (seen, expected))
        holds = matches(exercise, *map(around, stand_ins))
        exercise.symptom(misconception, seen=seen, expected=expected)(holds)


def kl_switches(*without: str, p: str = "teacher") -> list[Row]:
    """Rows for `name_switches` that set the option `kl` to what most often stands for KL(P||Q)."""
    return [
        (name, seen.replace("teacher", p), expected.replace("teacher", p), {"kl": stand_in})
        for name, seen, expected, stand_in, *_ in LOOKALIKES
        if name in COMMON and name not in without
    ]


def _top(x: Tensor, log_p: Tensor) -> Tensor:
    """The entry of each row that belongs to the teacher's likeliest word."""
    return x.gather(-1, log_p.argmax(dim=-1, keepdim=True))[..., 0]


def _weigh(weights: Tensor, terms: Tensor) -> Tensor:
    return torch.where(weights != 0, weights * terms, 0.0).sum(dim=-1)


COMMON = ("kl-reversed", "ce-called-kl", "hard-for-soft", "probs-for-log-probs", "mean-over-vocab")
LOOKALIKES: tuple[tuple[Any, ...], ...] = (
    (
        "kl-reversed",
        "the student's probabilities weigh the log-ratios",
        "weights from the teacher",
        reverse_kl,
        lambda log_p, log_q: _weigh(log_q.exp(), log_p - log_q),
        lambda log_p, log_q: -_weigh(log_q.exp(), log_p),
    ),
    (
        "ce-called-kl",
        "a student that agrees with its teacher is still charged: by the teacher's entropy",
        "nothing to pay where both agree",
        cross_entropy,
    ),
    (
        "kl-for-cross-entropy",
        "the teacher's entropy is subtracted: a student that agrees pays nothing",
        "the student's surprise alone",
        forward_kl,
    ),
    (
        "hard-for-soft",
        "of the teacher only its first choice has an influence",
        "the teacher's whole distribution",
        lambda log_p, log_q: -_top(log_q, log_p),
        lambda log_p, log_q: _top(log_p - log_q, log_p),
    ),
    (
        "top-entry-only",
        "a single term of the sum is left: that of the teacher's first choice",
        "a term for every word",
        lambda log_p, log_q: _top(log_p.exp() * (log_p - log_q), log_p),
        lambda log_p, log_q: -_top(log_p.exp() * log_q, log_p),
    ),
    (
        "softmax-twice",
        "one of the two distributions goes through a second softmax",
        "one softmax for each model",
        lambda log_p, log_q: kl_of_logs(log_p, log_q.exp().log_softmax(dim=-1)),
        lambda log_p, log_q: kl_of_logs(log_p.exp().log_softmax(dim=-1), log_q),
        lambda log_p, log_q: kl_of_logs(*(x.exp().log_softmax(dim=-1) for x in (log_p, log_q))),
        lambda log_p, log_q: -_weigh(log_p.exp(), log_q.exp().log_softmax(dim=-1)),
    ),
    (
        "probs-for-log-probs",
        "probabilities stand where their logarithms are expected",
        "differences of logarithms",
        lambda log_p, log_q: _weigh(log_p.exp(), log_p - log_q.exp()),
        lambda log_p, log_q: _weigh(log_p.exp(), log_p.exp() - log_q.exp()),
        lambda log_p, log_q: -(log_p + log_q).exp().sum(dim=-1),
        lambda log_p, log_q: (log_p.exp().exp() * (log_p.exp() - log_q)).sum(dim=-1),
    ),
    (
        "log-for-probability",
        "log-probabilities stand where probabilities are expected: as weights",
        "weights between 0 and 1",
        lambda log_p, log_q: (log_p * (log_p - log_q)).sum(dim=-1),
        lambda log_p, log_q: -(log_p * log_q).sum(dim=-1),
    ),
    (
        "weights-missing",
        "log-ratios are added without weights, and rare words dominate",
        "log-ratios that are weighed",
        lambda log_p, log_q: (log_p - log_q).sum(dim=-1),
        lambda log_p, log_q: (log_p - log_q).mean(dim=-1),
    ),
    (
        "terms-clamped",
        "negative terms are cut off, or counted as positive",
        "terms with their signs: only the sum is never negative",
        lambda log_p, log_q: (log_p.exp() * (log_p - log_q)).clamp(min=0).sum(dim=-1),
        lambda log_p, log_q: (log_p.exp() * (log_p - log_q)).abs().sum(dim=-1),
    ),
    (
        "divergences-mixed-up",
        "another measure is computed, which treats both models alike",
        "log-ratios, weighed by one of the two",
        jensen_shannon,
        symmetric_kl,
        lambda log_p, log_q: 2 * symmetric_kl(log_p, log_q),
        total_variation,
        lambda log_p, log_q: 2 * total_variation(log_p, log_q),
        lambda log_p, log_q: (log_p.exp() - log_q.exp()).abs().max(dim=-1).values,
        lambda log_p, log_q: (log_p.exp() - log_q.exp()).square().sum(dim=-1),
        lambda log_p, log_q: (log_p.exp() - log_q.exp()).square().mean(dim=-1),
        lambda log_p, log_q: (log_p - log_q).square().sum(dim=-1),
        lambda log_p, log_q: (log_p - log_q).square().mean(dim=-1),
    ),
    (
        "mean-over-vocab",
        "the larger the vocabulary, the smaller the result",
        "a sum over the vocabulary",
        lambda log_p, log_q: kl_of_logs(log_p, log_q) / log_p.shape[-1],
        lambda log_p, log_q: cross_entropy(log_p, log_q) / log_p.shape[-1],
        lambda log_p, log_q: reverse_kl(log_p, log_q) / log_p.shape[-1],
    ),
    (
        "entropy-for-cross-entropy",
        "only one of the two models has an influence",
        "a comparison of two",
        lambda log_p, log_q: entropy(log_p),
        lambda log_p, log_q: entropy(log_q),
    ),
    (
        "nats-for-bits",
        "the logarithms are of another base",
        "natural logarithms",
        lambda log_p, log_q: kl_of_logs(log_p, log_q) / math.log(2),
    ),
)
