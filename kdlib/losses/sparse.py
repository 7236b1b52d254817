"""What to keep of a teacher when its whole distribution is too much: a few tokens of each row.

    kind        keeps                                  what its loss estimates
    top_k       the k likeliest, scaled to sum to 1    the KL to another teacher, one without a tail:
                                                       biased, and no number of steps repairs it
    with_tail   the k likeliest, the rest as one lump  the KL after a merger of all other tokens:
                                                       never negative, never more than the full KL
    sampled     tokens drawn from the teacher          the full KL: value and gradient are right on
                                                       average, and noisy

Each becomes `SparseTargets`, whose loss needs the student's log-probabilities at the kept tokens and
a log-sum-exp; no dense row of the teacher is ever rebuilt.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from kdlib.losses.divergences import entropy


class SparseTargets(NamedTuple):
    """For each position: weights on a few tokens, and the part of the loss that no student changes.

    ids (..., k) integers, where a token may stand in several slots; weights (..., k) >= 0, and 0 in a
    slot that is not used, whose id means nothing. constant (...), nats: the loss is constant - sum_i weights_i log q(ids_i) [- tail log of
    q's mass on all other tokens]. tail (...): the teacher's mass on those, or None.
    """

    ids: Tensor
    weights: Tensor
    constant: Tensor
    tail: Tensor | None = None

    def map(self, change: Callable[[Tensor], Tensor]) -> SparseTargets:
        """The same change to every tensor."""
        changed: list[Any] = [None if t is None else change(t) for t in self]
        return SparseTargets(*changed)

    def to(self, dtype: torch.dtype) -> SparseTargets:
        """Weights in this dtype, ids as an index."""
        rounded = self.map(lambda t: t.to(dtype))
        return rounded._replace(ids=self.ids.long())

    def others(self, log_q: Tensor) -> Tensor:
        """log of Q's mass on all tokens but the kept ones: (..., V) -> (...)."""
        return log_q.scatter(-1, self.ids.long(), -torch.inf).logsumexp(-1)

    def divergence(self, log_q: Tensor) -> Tensor:
        """(..., V) -> (...), nats: what the kind estimates, for the student Q.

        +inf where Q excludes a kept token. Gradient in the student's logits: (mass of the weights) q
        minus the weights at their tokens; with a tail, that of KL after the merger.
        """
        kept = log_q.gather(-1, self.ids.long()).masked_fill(self.weights == 0, 0)
        loss = self.constant - (self.weights * kept).sum(-1)
        if self.tail is None:
            return loss
        return loss - self.tail * self.others(log_q).masked_fill(self.tail == 0, 0)


def top_k(log_p: Tensor, k: int) -> SparseTargets:
    """The k likeliest tokens of log_p (..., V), renormalised.

    The student is taught that all other tokens are impossible: it becomes too sure of itself.
    ValueError unless 1 <= k <= V.
    """
    kept, ids = _likeliest(log_p, k)
    return renormalised(ids, kept)


def with_tail(log_p: Tensor, k: int) -> SparseTargets:
    """The k likeliest tokens of log_p (..., V), and all others as one outcome.

    Its loss is the KL between the two distributions after that merger, and merging outcomes can only
    lower a KL (the data-processing inequality). How mass is shared out within the tail is not
    taught. ValueError unless 1 <= k < V.
    """
    if k == log_p.shape[-1]:
        raise ValueError(f"k is {k}, the whole vocabulary: there is no tail; use top_k")
    kept, ids = _likeliest(log_p, k)
    return lumped(ids, kept, log_p.scatter(-1, ids, -torch.inf).logsumexp(-1))


def sampled(log_p: Tensor, k: int, generator: torch.Generator | None = None) -> SparseTargets:
    """k tokens drawn from P (..., V) with replacement, in rising order, each of weight 1 / k.

    The weights at v add up to p_v on average, so value and gradient have the full KL's expectation
    for every student; the variance falls as 1 / k. The constant is the exact -H(P), so the loss of
    one batch may be negative. Source: Anshumann et al. 2025 (sparse logit sampling), with P itself
    as proposal. ValueError unless k >= 1.
    """
    if k < 1:
        raise ValueError(f"k is {k}; it must be at least 1")
    rows = log_p.reshape(-1, log_p.shape[-1])
    drawn = torch.multinomial(rows.exp(), k, replacement=True, generator=generator)
    ids = drawn.sort(-1).values.view(*log_p.shape[:-1], k)
    return equally_weighted(ids, -entropy(log_p))


# --- From what is kept to targets -----------------------------------------------------------------


def renormalised(ids: Tensor, log_weights: Tensor) -> SparseTargets:
    """The kept tokens as a whole distribution."""
    log_w = log_weights.log_softmax(-1)
    return SparseTargets(ids, log_w.exp(), -entropy(log_w))


def lumped(ids: Tensor, log_weights: Tensor, log_tail: Tensor) -> SparseTargets:
    """The kept tokens and one outcome for all others, of log-probability log_tail (...)."""
    merged = torch.cat((log_weights, log_tail.unsqueeze(-1)), -1)
    return SparseTargets(ids, log_weights.exp(), -entropy(merged), log_tail.exp())


def equally_weighted(ids: Tensor, constant: Tensor) -> SparseTargets:
    """Drawn tokens, each with its share of the draws."""
    weights = constant.new_full(ids.shape, 1 / ids.shape[-1])
    return SparseTargets(ids, weights, constant)


def _likeliest(log_p: Tensor, k: int) -> tuple[Tensor, Tensor]:
    if not 1 <= k <= log_p.shape[-1]:
        raise ValueError(f"k is {k}; it must lie between 1 and the vocabulary's {log_p.shape[-1]}")
    return log_p.topk(k, dim=-1)


KINDS: dict[str, Callable[..., SparseTargets]] = {
    "top_k": top_k,
    "with_tail": with_tail,
    "sampled": sampled,
}
