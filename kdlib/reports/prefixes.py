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

from torch import Tensor

from kdlib.losses.divergences import entropy, forward_kl, reverse_kl

REPEATED = 4  # tokens in a row that a text has had before are a repetition
DISTINCT = 2


def divergences(log_p: Tensor, log_q: Tensor) -> dict[str, float]:
    """Both directions, as means over positions.

    Args:
        log_p: (N, V) log-probabilities of the teacher.
        log_q: (N, V) those of the student.

    Returns:
        "forward_kl" and "reverse_kl", in nats per token.
    """
    return {
        "forward_kl": float(forward_kl(log_p, log_q).mean()),
        "reverse_kl": float(reverse_kl(log_p, log_q).mean()),
    }


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
