"""What to keep of a teacher whose whole distribution is too much to store: a few tokens per row.

There are three kinds::

    kind        keeps                                  what its loss estimates
    top_k       the k likeliest, scaled to sum to 1    the KL to another teacher, one without a
                                                       tail: biased, however long one trains
    with_tail   the k likeliest, the rest as one lump  the KL after all other tokens are merged:
                                                       never negative, never above the full KL
    sampled     tokens drawn from the teacher          the full KL: value and gradient are right on
                                                       average, and noisy

Each becomes `SparseTargets`, whose loss needs the student's log-probabilities at the kept tokens
and a log-sum-exp; no dense row of the teacher is ever rebuilt.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from kdlib.losses.divergences import entropy

# Of a token that is to be left out of a log-sum-exp. Not -inf: if all are left out, the gradient
# would be NaN.
NEGLIGIBLE = -1e30
CHUNK = 2**22  # probabilities that are summed in float64 at once: 32 MB, and as much again


class SparseTargets(NamedTuple):
    r"""Weights on a few tokens of each position, and the part of the loss that no student changes.

    .. math:: c - \sum_i w_i \log q(v_i) \;\Bigl[ - \, t \log \sum_{v \notin \{v_i\}} q_v \Bigr]

    The bracket is there only with a tail.

    Attributes:
        ids: (..., k) integers :math:`v_i`; a token may be in several slots.
        weights: (..., k), :math:`w_i \ge 0`; 0 in an unused slot, whose id means nothing.
        constant: (...), c in nats.
        tail: (...), t, the teacher's mass on all other tokens; or None.
    """

    ids: Tensor
    weights: Tensor
    constant: Tensor
    tail: Tensor | None = None

    def map(self, change: Callable[[Tensor], Tensor]) -> SparseTargets:
        """Apply the same change to every tensor."""
        changed: list[Any] = [None if t is None else change(t) for t in self]
        return SparseTargets(*changed)

    def to(self, dtype: torch.dtype) -> SparseTargets:
        """Convert all but the ids to this dtype, and the ids to an index (int64)."""
        # The ids come from the original: float32 is exact only up to 2^24, bfloat16 up to 256.
        rounded = self.map(lambda t: t.to(dtype))
        return rounded._replace(ids=self.ids.long())

    def others(self, log_q: Tensor) -> Tensor:
        """The log of Q's mass on all tokens but the kept ones.

        Args:
            log_q: (..., V) log-probabilities of the student.

        Returns:
            (...), nats; -inf, without a gradient, where Q excludes them all.
        """
        # Not log(1 - the kept mass): near 1 that difference loses all its digits.
        log_rest = log_q.scatter(-1, self.ids.long(), NEGLIGIBLE).logsumexp(-1)
        return log_rest.masked_fill(log_rest < NEGLIGIBLE / 2, -torch.inf)

    def divergence(self, log_q: Tensor, log_others: Tensor | None = None) -> Tensor:
        """What the kind estimates, for the student Q.

        Gradient in the student's logits: the sum of the weights times q, minus the weights at their
        tokens; with a tail, the gradient of the KL after the merger.

        Args:
            log_q: (..., V) log-probabilities of the student.
            log_others: (...) what `others` gives for it, if that is known already.

        Returns:
            (...), nats; +inf where Q excludes a kept token.
        """
        # An unused slot's id may be a token that the student excludes: 0 * inf would be NaN.
        kept = log_q.gather(-1, self.ids.long()).masked_fill(self.weights == 0, 0)
        loss = self.constant - (self.weights * kept).sum(-1)
        if self.tail is None:
            return loss
        log_others = self.others(log_q) if log_others is None else log_others
        return loss - self.tail * log_others.masked_fill(self.tail == 0, 0)


def top_k(log_p: Tensor, k: int) -> SparseTargets:
    """The k likeliest tokens, renormalised.

    The student is taught that all other tokens are impossible, so it becomes overconfident.

    Args:
        log_p: (..., V) log-probabilities of the teacher.
        k: tokens to keep, 1 <= k <= V.

    Raises:
        ValueError: for a k out of range.
    """
    kept, ids = _likeliest(log_p, k)
    return renormalised(ids, kept)


def with_tail(log_p: Tensor, k: int) -> SparseTargets:
    """The k likeliest tokens, and all others as one outcome.

    Its loss is the KL between the two distributions after that merger, and merging outcomes can
    only lower a KL (the data-processing inequality). How the mass is distributed within the tail is
    not taught.

    Args:
        log_p: (..., V) log-probabilities of the teacher.
        k: tokens to keep, 1 <= k < V.

    Raises:
        ValueError: for a k out of range.
    """
    if k == log_p.shape[-1]:
        raise ValueError(f"k is {k}, the whole vocabulary: there is no tail; use top_k")
    kept, ids = _likeliest(log_p, k)
    # Summed over the tail itself: 1 - the kept mass would be rounding error where the tail is thin.
    return lumped(ids, kept, log_p.scatter(-1, ids, -torch.inf).logsumexp(-1))


def sampled(log_p: Tensor, k: int, generator: torch.Generator | None = None) -> SparseTargets:
    r"""Tokens drawn from P with replacement, in rising order, each of weight 1/k.

    The weights at v add up to :math:`p_v` on average, so value and gradient equal those of the full
    KL in expectation, for every student; the variance falls as 1/k. The constant is the exact
    :math:`-H(P)`, so the loss of one batch may be negative.

    Args:
        log_p: (..., V) log-probabilities of the teacher.
        k: draws per position, at least 1.
        generator: the source of randomness; None for PyTorch's own.

    Raises:
        ValueError: for a k below 1, and for a P without mass or with a NaN.

    Source: Anshumann et al. 2025 (sparse logit sampling), with P itself as proposal.
    """
    if k < 1:
        raise ValueError(f"k is {k}; it must be at least 1")
    ids = _draws(log_p.reshape(-1, log_p.shape[-1]), k, generator).sort(-1).values
    return equally_weighted(ids.view(*log_p.shape[:-1], k), -entropy(log_p))


def _draws(log_p: Tensor, k: int, generator: torch.Generator | None) -> Tensor:
    """Tokens (N, k) drawn from the rows of log_p (N, V), by the inverse of their distribution.

    All in float64, unlike torch.multinomial: a sum over 100,000 tokens in float32 loses those at
    its end. Their mass of 1 % was drawn 0.8 % of the time, and one of 0.3 % never.
    """
    device = log_p.device if log_p.device.type != "mps" else torch.device("cpu")  # has no float64
    place = device if generator is None else generator.device
    uniform = torch.rand(len(log_p), k, dtype=torch.float64, device=place, generator=generator).to(
        device
    )
    chunk = max(1, CHUNK // log_p.shape[-1])
    drawn = [
        _inverse(rows.to(device, torch.float64), shares)
        for rows, shares in zip(log_p.split(chunk), uniform.split(chunk))
    ]
    return torch.cat(drawn).to(log_p.device)


def _inverse(log_p: Tensor, shares: Tensor) -> Tensor:
    """The first token of each row up to which the mass exceeds each share (N, k) of it."""
    mass = log_p.exp().cumsum(-1)
    whole = mass[:, -1:]
    if not ((whole > 0) & whole.isfinite()).all():
        raise ValueError("log_p has a row that is not a distribution: NaN, infinite or all -inf")
    # Below the whole even where the product is rounded up: beyond it there is no token.
    below = (shares * whole).minimum(whole.nextafter(torch.zeros_like(whole)))
    return torch.searchsorted(mass, below, right=True)


def renormalised(ids: Tensor, log_weights: Tensor) -> SparseTargets:
    """Targets of the kind `top_k`: the kept tokens as a distribution of their own.

    Args:
        ids: (..., k) tokens.
        log_weights: (..., k) their log-probabilities, up to a constant per row.
    """
    log_w = log_weights.log_softmax(-1)
    return SparseTargets(ids, log_w.exp(), -entropy(log_w))


def lumped(ids: Tensor, log_weights: Tensor, log_tail: Tensor) -> SparseTargets:
    """Targets of the kind `with_tail`: the kept tokens, and one outcome for all others.

    Args:
        ids: (..., k) tokens.
        log_weights: (..., k) their log-probabilities.
        log_tail: (...) log-probability of all other tokens together.
    """
    merged = torch.cat((log_weights, log_tail.unsqueeze(-1)), -1)
    return SparseTargets(ids, log_weights.exp(), -entropy(merged), log_tail.exp())


def equally_weighted(ids: Tensor, constant: Tensor) -> SparseTargets:
    """Targets of the kind `sampled`: drawn tokens, each with an equal share of the draws.

    Args:
        ids: (..., k) tokens; one drawn twice is there twice.
        constant: (...), nats.
    """
    weights = constant.new_full(ids.shape, 1 / ids.shape[-1])
    return SparseTargets(ids, weights, constant)


def _likeliest(log_p: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Log-probabilities and ids (..., k) of the k likeliest tokens; ValueError for a bad k."""
    if not 1 <= k <= log_p.shape[-1]:
        raise ValueError(f"k is {k}; it must lie between 1 and the vocabulary's {log_p.shape[-1]}")
    return log_p.topk(k, dim=-1)


KINDS: dict[str, Callable[..., SparseTargets]] = {
    "top_k": top_k,
    "with_tail": with_tail,
    "sampled": sampled,
}
