"""Sums over the vocabulary that keep zeros, ties and small differences exact."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

INF = math.inf
NEGLIGIBLE = 1e-20  # a parameter below it acts as 0, and its products could underflow


def same_dtype_and_shape(log_p: Tensor, log_q: Tensor) -> tuple[Tensor, Tensor]:
    """Check both inputs, and bring them to one shape and one dtype.

    Args:
        log_p, log_q: (..., V) log-probabilities; their leading dimensions must broadcast.

    Returns:
        Both as (..., V), in float32 or better.

    Raises:
        TypeError: for anything but floating-point tensors.
        ValueError: for shapes that do not fit and for an empty vocabulary.
    """
    for name, value in (("log_p", log_p), ("log_q", log_q)):
        if not isinstance(value, Tensor) or not value.is_floating_point():
            kind = value.dtype if isinstance(value, Tensor) else type(value).__name__
            raise TypeError(f"{name} must be a floating-point tensor of logs, got {kind}")
        if value.ndim == 0 or value.shape[-1] == 0:
            raise ValueError(f"{name} must be (..., V) with V >= 1, got {tuple(value.shape)}")
    shapes = f"log_p {tuple(log_p.shape)} and log_q {tuple(log_q.shape)}"
    if log_p.shape[-1] != log_q.shape[-1]:
        raise ValueError(f"the last dimension, one vocabulary, must be equal, got {shapes}")
    dtype = torch.promote_types(torch.promote_types(log_p.dtype, log_q.dtype), torch.float32)
    try:
        log_p, log_q = torch.broadcast_tensors(log_p.to(dtype), log_q.to(dtype))
    except RuntimeError:
        raise ValueError(f"the leading dimensions must broadcast, got {shapes}") from None
    return log_p, log_q


def sum_over_slots(
    log_p: Tensor,
    log_q: Tensor,
    shared: Callable[[Tensor, Tensor], Tensor],
    p_alone: float,
    q_alone: float = 0.0,
    *,
    power: float = 1.0,
) -> Tensor:
    """Sum over the vocabulary, keeping apart the slots that both, one or none of P and Q reach.

    Args:
        log_p, log_q: (..., V) log-probabilities of teacher and student.
        shared: the term of a slot that both reach, from (log_p, log_q). In all other slots it sees
            two zeros, never -inf, and must give 0: so 0 * inf and inf - inf arise neither forwards
            nor backwards.
        p_alone: a slot that only P reaches counts ``p_alone * p**power``.
        q_alone: a slot that only Q reaches counts ``q_alone * q**power``.
        power: see ``p_alone``. A slot that neither reaches counts 0.

    Returns:
        (...), in the unit of the terms.
    """
    log_p, log_q = same_dtype_and_shape(log_p, log_q)
    no_p, no_q = log_p == -INF, log_q == -INF
    # Masked before the term, not after: backwards, 0 times an infinite slope would be NaN.
    terms = shared(log_p.masked_fill(no_p | no_q, 0), log_q.masked_fill(no_p | no_q, 0))
    for log_x, alone, weight in ((log_p, no_q & ~no_p, p_alone), (log_q, no_p & ~no_q, q_alone)):
        if weight == INF:  # not inf * x: an x that underflows to 0 would make it NaN
            terms = terms.masked_fill(alone, INF)
        elif weight:  # the power is above 0 here, so exp(-inf) clears all other slots
            terms = terms + weight * (power * log_x.masked_fill(~alone, -INF)).exp()
    return terms.sum(-1)


class ForwardKL(torch.autograd.Function):
    """The forward KL, sum of p (log p - log q), with its gradient in closed form.

    Training spends its time here, and this makes far fewer passes over memory than
    `sum_over_slots`. For the formula and its limits see `forward_kl`.
    """

    @staticmethod
    def forward(ctx: Any, log_p: Tensor, log_q: Tensor) -> Tensor:
        """(..., V), (..., V) -> (...), nats."""
        p = log_p.exp()
        # What P excludes counts 0: also where Q excludes it too, and -inf - -inf is NaN.
        ratio = (log_p - log_q).masked_fill_(log_p == -INF, 0)
        impossible = ratio == INF
        ctx.save_for_backward(p, ratio, impossible)
        # Not p * inf: a p that underflows to 0 would make it NaN.
        return (p * ratio).masked_fill_(impossible, INF).sum(-1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """(...) -> (..., V), (..., V): p (log p - log q + 1) and -p, times the given gradient."""
        # p and the ratio were saved as plain numbers, which autograd does not follow back to log_p:
        # differentiated once more, they would give a wrong result silently.
        if torch.is_grad_enabled() and ctx.needs_input_grad[0]:  # create_graph: see `forward_kl`
            raise RuntimeError(
                "a KL has one derivative in its first argument; for a second (create_graph=True)"
                " use cross_entropy(log_p, log_q) - entropy(log_p)"
            )
        p, ratio, impossible = ctx.saved_tensors
        weight = (grad.unsqueeze(-1) * p).masked_fill_(impossible, 0)
        to_p = (
            weight * ratio.masked_fill(impossible, 0).add_(1) if ctx.needs_input_grad[0] else None
        )
        # In place, and only now: the line above reads the weight before its sign changes.
        return to_p, weight.neg_() if ctx.needs_input_grad[1] else None


def log_mix(d: Tensor, w_p: float, w_q: float) -> Tensor:
    r"""The log of a mixture relative to P.

    .. math:: \log \frac{w_p p + w_q q}{p} = \log(w_p + w_q e^d), \quad d = \log q - \log p

    Args:
        d: (..., V), finite.
        w_p: the weight of P.
        w_q: the weight of Q; the two add up to 1.

    Returns:
        (..., V), nats; exactly 0 at d = 0.
    """
    if w_p < NEGLIGIBLE:
        # w_p counts only where q / p is as small as it; elsewhere the result is d, unrounded.
        floor = d.new_full((), math.log(w_p) if w_p else -INF)
        return torch.where(d > -1, d, torch.logaddexp(floor, d))
    d = d.clamp(-80, 80)  # beyond, p or q is nothing beside the other; and expm1 would overflow
    if w_p >= w_q:
        return torch.log1p(w_q * torch.expm1(d))
    return d + torch.log1p(w_p * torch.expm1(-d))  # the log1p above would meet arguments near -1


def alpha_beta_terms(a: Tensor, b: Tensor, alpha: float, beta: float) -> Tensor:
    r"""The terms of `alpha_beta` for log p = a and log q = b, with every limit.

    .. math::
        \frac{A - B}{\alpha}, \quad A = \frac{q^s - p^s}{s}, \quad
        B = \frac{p^\alpha q^\beta - p^s}{\beta}, \quad s = \alpha + \beta

    In this form only alpha is singular, and by symmetry alpha may be the larger of the two.

    Args:
        a, b: (..., V) log-probabilities of teacher and student, finite.
        alpha, beta: with alpha + beta >= 0.

    Returns:
        (..., V), to be summed.
    """
    if alpha < beta:
        return alpha_beta_terms(b, a, beta, alpha)
    s, d = alpha + beta, b - a
    # A and B agree to the first order in d. Where d is small their difference is summed as a power
    # series: its error, of order x^4, meets the other's, of order eps / x, at x = eps^(1/5).
    is_far = max(alpha, s) * d.abs() > torch.finfo(d.dtype).eps ** 0.2
    n = torch.where(is_far, 0.0, d)  # else the powers of a large d overflow, and 0 * inf is NaN
    c3, c4, c5 = s + beta, s**2 + s * beta + beta**2, s**3 + s**2 * beta + s * beta**2 + beta**3
    near = (s * a).exp() * n.square() * (1 / 2 + n * (c3 / 6 + n * (c4 / 24 + n * c5 / 120)))
    if alpha < NEGLIGIBLE:
        return near
    far = (_slope(s * a, s * b, d, s) - _slope(s * a, alpha * a + beta * b, d, beta)) / alpha
    return torch.where(is_far, far, near)


def _slope(start: Tensor, end: Tensor, d: Tensor, c: float) -> Tensor:
    """(e^end - e^start) / c for end - start = c d, and its limit e^start d at c = 0."""
    if abs(c) < NEGLIGIBLE:
        return start.exp() * d
    near = start.exp() * torch.expm1((c * d).clamp(-1, 1))
    return torch.where((c * d).abs() <= 1, near, end.exp() - start.exp()) / c
