r"""Whose words come before the comparison: the text's, the teacher's or the student's own.

Teacher and student are compared at each token, after some beginning. Two choices are open, and they
are independent: who wrote the beginning, and in which direction the divergence runs. Of the four
combinations two are parts of something whole (the chain rule): summed over a text,

.. math:: \mathbb{E}_{y \sim P} \sum_t \mathrm{KL}(P_t \| Q_t) = \mathrm{KL}(P \| Q), \qquad
    \mathbb{E}_{y \sim Q} \sum_t \mathrm{KL}(Q_t \| P_t) = \mathrm{KL}(Q \| P)

are the divergences of whole texts: forward on what the teacher writes, reverse on what the student
writes. The others are measurements without such a meaning. What a model writes is described by how
unsure it is and by how much it repeats itself, so that a collapse is seen.

Source: Agarwal et al. 2024 (GKD); Holtzman et al. 2020 (degeneration); Li et al. 2016 (distinct-n).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from torch import Tensor

from kdlib.losses.divergences import entropy, forward_kl, reverse_kl
from kdlib.reports.fields import TWINS
from kdlib.reports.intervals import Interval, advantage

REPEATED = 4  # tokens in a row that a text has had before are a repetition
DISTINCT = 2


class Divergences(NamedTuple):
    """Both directions at every token of R texts of T tokens.

    Attributes:
        forward_kl: (R, T), nats.
        reverse_kl: (R, T), nats.
    """

    forward_kl: Tensor
    reverse_kl: Tensor

    def means(self) -> dict[str, float]:
        """Their means, in nats per token."""
        return {name: float(each.mean()) for name, each in self._asdict().items()}


def divergences(log_p: Tensor, log_q: Tensor, texts: int) -> Divergences:
    """Both directions, token by token.

    Args:
        log_p: (N, V) log-probabilities of the teacher, text by text.
        log_q: (N, V) those of the student.
        texts: R, of N / R tokens each.
    """
    return Divergences(
        forward_kl(log_p, log_q).view(texts, -1), reverse_kl(log_p, log_q).view(texts, -1)
    )


def own_leads(own: dict[str, Divergences]) -> dict[str, Interval]:
    """By how much the student is nearer to its teacher on its own words than each twin on its own.

    All have gone on from the same beginnings, so text is compared with text.

    Args:
        own: each learner on what it wrote itself.

    Returns:
        By twin, the difference of the reverse KL in nats per token, with its interval over texts;
        none for a single text.
    """
    if len(own["student"].reverse_kl) < 2:
        return {}
    sums = {name: each.reverse_kl.double().sum(1).numpy()[None] for name, each in own.items()}
    texts, length = own["student"].reverse_kl.shape
    tokens = np.full(texts, length)
    return {name: advantage(sums["student"], sums[name], tokens) for name in own if name in TWINS}


def writing(log_q: Tensor, texts: Tensor) -> dict[str, float]:
    """How a model writes.

    Args:
        log_q: (N, V) its log-probabilities where it wrote.
        texts: (R, T) ids of what it wrote.

    Returns:
        "entropy", nats per token; "repeated", the share of runs of four tokens that occurred before
        in the same text; "distinct", the share of all pairs of neighbours that are different ones.
    """
    rows = texts.tolist()
    fours = [_runs(row, REPEATED) for row in rows]
    pairs = [pair for row in rows for pair in _runs(row, DISTINCT)]
    again = sum(len(runs) - len(set(runs)) for runs in fours)
    return {
        "entropy": float(entropy(log_q).mean()),
        "repeated": again / max(1, sum(map(len, fours))),
        "distinct": len(set(pairs)) / max(1, len(pairs)),
    }


def _runs(ids: list[int], length: int) -> list[tuple[int, ...]]:
    """All runs of so many neighbours."""
    return [tuple(ids[at : at + length]) for at in range(len(ids) - length + 1)]
