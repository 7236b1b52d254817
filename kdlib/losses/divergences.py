"""How far apart are two distributions over a vocabulary? The mathematics of distillation.

P is the teacher, Q the student, always in this order. Every function takes LOG-probabilities and
reduces the last dimension: ``(..., V), (..., V) -> (...)``, in nats (natural logarithms). Leading
dimensions broadcast. bfloat16 and float16 are computed in float32, float64 stays float64. That
probabilities sum to 1 is not checked: the hot path cannot afford it.

Four promises, each tested:
- P = Q gives exactly 0 (every bit) for every divergence in ``DIVERGENCES``.
- log 0 = -inf is a legal input: 0 log 0 = 0, and an infinite divergence is +inf, never NaN.
- A slot whose term is +inf passes no gradient, the others do: one impossible token makes no NaN.
- Small values are accurate: a KL of 1e-3 over 128,000 tokens to 1 % in float32. (log_softmax
  leaves a sum of probabilities about 1e-6 off 1, and that is the absolute error of a KL.)

TypeError for anything but floating-point tensors; ValueError for shapes that do not fit, an empty
vocabulary, or a parameter outside its range.
"""

import functools
import inspect
import math
from collections.abc import Callable
from numbers import Real

import torch
from torch import Tensor

from kdlib.losses.slots import (
    INF,
    ForwardKL,
    alpha_beta_terms,
    log_mix,
    same_dtype_and_shape,
    sum_over_slots,
)


def entropy(log_p: Tensor) -> Tensor:
    """Shannon entropy of P, the least cross-entropy that any student can reach.

    H(P) = - sum_v p_v log p_v, between 0 (one-hot) and log V (uniform).
    ``(..., V) -> (...)``, nats. Source: Shannon 1948, section 6.
    """
    return cross_entropy(log_p, log_p)


def cross_entropy(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Cross-entropy of Q under P: the expected surprise of the student at the teacher's draws.

    CE(P, Q) = - sum_v p_v log q_v = KL(P||Q) + H(P).
    ``(..., V), (..., V) -> (...)``, nats; not 0 at P = Q but H(P). +inf where Q = 0 < P.
    Gradient in log Q: -p, the same as that of forward_kl. Source: Hinton et al. 2015, section 2.
    """
    return sum_over_slots(log_p, log_q, lambda a, b: -a.exp() * b, INF)


def forward_kl(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Forward KL, KL(P||Q): the student must cover all that the teacher does.

    KL(P||Q) = sum_v p_v (log p_v - log q_v).
    ``(..., V), (..., V) -> (...)``, nats; +inf where Q = 0 < P.
    Gradient in log Q: -p; in the student's logits: q - p. In log P it is differentiable once (a
    second derivative is a RuntimeError), in log Q any number of times.
    Source: Kullback and Leibler 1951.
    """
    divergence: Tensor = ForwardKL.apply(  # type: ignore[no-untyped-call]  # torch gives it none
        *same_dtype_and_shape(log_p, log_q)
    )
    return divergence


def reverse_kl(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Reverse KL, KL(Q||P): the student must stay where the teacher is.

    KL(Q||P) = sum_v q_v (log q_v - log p_v).
    ``(..., V), (..., V) -> (...)``, nats; +inf where P = 0 < Q.
    Gradient in the student's logits: q (log q - log p - KL). Differentiable once (see forward_kl).
    Source: Gu et al. 2024 (MiniLLM).
    """
    return forward_kl(log_q, log_p)


def symmetric_kl(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Half of Jeffreys' divergence: the mean of the two KLs.

    (KL(P||Q) + KL(Q||P)) / 2. ``(..., V), (..., V) -> (...)``, nats; +inf where one of P and Q
    is 0 and the other is not. Differentiable once (see forward_kl). Source: Jeffreys 1946.
    """
    return (forward_kl(log_p, log_q) + reverse_kl(log_p, log_q)) / 2


def jensen_shannon(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Jensen-Shannon divergence: symmetric, finite for any zeros, at most log 2.

    (KL(P||M) + KL(Q||M)) / 2, M = (P + Q) / 2.
    ``(..., V), (..., V) -> (...)``, nats. Source: Lin 1991.
    """
    return generalized_jsd(log_p, log_q, 0.5)


def generalized_jsd(log_p: Tensor, log_q: Tensor, beta: float) -> Tensor:
    """Generalised Jensen-Shannon divergence, with weight beta on the teacher.

    beta KL(P||M) + (1 - beta) KL(Q||M), M = beta P + (1 - beta) Q.
    ``(..., V), (..., V) -> (...)``, nats; finite for any zeros. beta in [0, 1], else ValueError.
    Continuous in beta, hence 0 at both ends. Other libraries jump to KL(P||Q) at 0 and to KL(Q||P)
    at 1: the limits of this divergence divided by beta, and by 1 - beta, not its own.
    Source: Lin 1991; Agarwal et al. 2024 (GKD).
    """
    _check_range("beta", beta, 0, 1)
    w_p, w_q = beta, 1 - beta

    def shared(a: Tensor, b: Tensor) -> Tensor:
        to_p, to_q = log_mix(b - a, w_p, w_q), log_mix(a - b, w_q, w_p)
        return -(w_p * a.exp() * to_p + w_q * b.exp() * to_q)

    p_alone, q_alone = -w_p * math.log(w_p or 1), -w_q * math.log(w_q or 1)
    return sum_over_slots(log_p, log_q, shared, p_alone, q_alone)


def skew_kl(log_p: Tensor, log_q: Tensor, alpha: float) -> Tensor:
    """Skew KL: forward KL to a student into which a share alpha of the teacher was mixed.

    KL(P || alpha P + (1 - alpha) Q): forward KL at alpha = 0, falling to 0 at alpha = 1.
    ``(..., V), (..., V) -> (...)``, nats; at most -log alpha, whatever the zeros.
    alpha in [0, 1], else ValueError. Source: Lee 1999; Ko et al. 2024 (DistiLLM).
    """
    _check_range("alpha", alpha, 0, 1)

    def shared(a: Tensor, b: Tensor) -> Tensor:
        return -a.exp() * log_mix(b - a, alpha, 1 - alpha)

    return sum_over_slots(log_p, log_q, shared, -math.log(alpha) if alpha else INF)


def skew_reverse_kl(log_p: Tensor, log_q: Tensor, alpha: float) -> Tensor:
    """Skew reverse KL: reverse KL to a teacher into which a share alpha of the student was mixed.

    KL(Q || alpha Q + (1 - alpha) P): reverse KL at alpha = 0, falling to 0 at alpha = 1.
    ``(..., V), (..., V) -> (...)``, nats; at most -log alpha, whatever the zeros.
    alpha in [0, 1], else ValueError. Source: Ko et al. 2024 (DistiLLM).
    """
    return skew_kl(log_q, log_p, alpha)


def alpha_beta(log_p: Tensor, log_q: Tensor, alpha: float, beta: float) -> Tensor:
    """Alpha-beta divergence: one family from forward KL (1, 0) to reverse KL (0, 1).

    -1 / (alpha beta) sum_v [p^alpha q^beta - (alpha / s) p^s - (beta / s) q^s], s = alpha + beta,
    with its limits at alpha = 0, beta = 0 and s = 0; sum (log p - log q)^2 / 2 at (0, 0).
    ``(..., V), (..., V) -> (...)``, nats where s = 1. alpha, beta in [-100, 100] with s >= 0, else
    ValueError (s < 0 lets the unlikeliest tokens rule). Q = 0 < P is +inf unless beta > 0, s > 0;
    P = 0 < Q is +inf unless alpha > 0, s > 0; a slot that both exclude counts 0. A term with a
    negative parameter may overflow: it is then +inf with a gradient that is not finite.
    Source: Cichocki, Cruces and Amari 2011; Wang et al. 2025 (ABKD).
    """
    _check_range("alpha", alpha, -100, 100)
    _check_range("beta", beta, -100, 100)
    s = alpha + beta
    if s < 0:
        raise ValueError(f"alpha + beta must be at least 0, got {alpha!r} + {beta!r}")
    p_alone = 1 / (beta * s) if beta * s > 0 else INF
    q_alone = 1 / (alpha * s) if alpha * s > 0 else INF
    shared = functools.partial(alpha_beta_terms, alpha=alpha, beta=beta)
    return sum_over_slots(log_p, log_q, shared, p_alone, q_alone, power=s)


def total_variation(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Total variation: the largest difference in probability over all events.

    sum_v |p_v - q_v| / 2. ``(..., V), (..., V) -> (...)``, in [0, 1], without a unit.
    The gradient at a tie p_v = q_v is 0. At temperature T value and gradient are of the order 1/T,
    those of the other divergences 1/T^2: multiplied by T^2, as in distillation, they grow like T.
    Source: Wen et al. 2023 (f-distillation).
    """
    log_p, log_q = same_dtype_and_shape(log_p, log_q)
    return (log_p.exp() - log_q.exp()).abs().sum(-1) / 2


def hellinger_squared(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Squared Hellinger distance.

    sum_v (sqrt(p_v) - sqrt(q_v))^2 / 2.
    ``(..., V), (..., V) -> (...)``, in [0, 1] without a unit. Source: Hellinger 1909.
    """
    log_p, log_q = same_dtype_and_shape(log_p, log_q)
    # The same number as 1 - sum sqrt(p q), which loses all its digits near P = Q.
    return ((log_p / 2).exp() - (log_q / 2).exp()).square().sum(-1) / 2


def adaptive_kl(log_p: Tensor, log_q: Tensor, mu: float = 0.5) -> Tensor:
    """Adaptive KL: the more P and Q differ in P's head, the more of forward KL; else reverse KL.

    w KL(P||Q) + (1 - w) KL(Q||P), w = g_head / (g_head + g_tail), g = sum |p - q| over each part.
    The head is the smallest set of P's likeliest tokens with mass >= mu; ties go by index. (The
    authors' code leaves the token that crosses mu to the tail, unless it is the first.)
    ``(..., V), (..., V) -> (...)``, nats. mu in [0, 1], else ValueError. The weights pass no
    gradient; a KL whose weight rounds to 0 counts 0 even if infinite. Differentiable once (see
    forward_kl). Source: Wu et al. 2024.
    """
    _check_range("mu", mu, 0, 1)
    log_p, log_q = same_dtype_and_shape(log_p, log_q)
    with torch.no_grad():
        p = log_p.exp()
        gap = (p - log_q.exp()).abs()
        ranked, order = p.sort(dim=-1, descending=True, stable=True)
        in_head = ranked.cumsum(-1) - ranked < mu  # the mass ahead of a head token is short of mu
        gap = gap.gather(-1, order)
        head, tail = (gap * in_head).sum(-1), (gap * ~in_head).sum(-1)
        w = head / (head + tail).masked_fill(head + tail == 0, 1)  # not 0/0 at P = Q
    forward, reverse = forward_kl(log_p, log_q), reverse_kl(log_p, log_q)
    return torch.where(w == 0, 0.0, w * forward) + torch.where(w == 1, 0.0, (1 - w) * reverse)


DIVERGENCES: dict[str, Callable[..., Tensor]] = {function.__name__: function for function in (
    forward_kl, reverse_kl, symmetric_kl, jensen_shannon, generalized_jsd, skew_kl, skew_reverse_kl,
    alpha_beta, total_variation, hellinger_squared, adaptive_kl,
)}  # fmt: skip


def get_divergence(name: str, **parameters: float) -> Callable[[Tensor, Tensor], Tensor]:
    """The divergence called ``name`` with its parameters set: a function of (log_p, log_q) alone.

    ``get_divergence("skew_kl", alpha=0.1)``. ValueError, now and not in training, for an unknown
    name, a parameter that is missing or unknown, and a value out of range.
    """
    if name not in DIVERGENCES:
        raise ValueError(f"divergence must be one of {', '.join(DIVERGENCES)}, got {name!r}")
    function = functools.partial(DIVERGENCES[name], **parameters)
    _, _, *expected = inspect.signature(DIVERGENCES[name]).parameters
    try:
        function(torch.zeros(1), torch.zeros(1))  # raises ValueError for a value out of range
    except TypeError as error:
        raise ValueError(f"{error}; its parameters: {', '.join(expected) or 'none'}") from None
    return function


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not isinstance(value, Real) or not low <= value <= high:
        raise ValueError(f"{name} must be a number in [{low}, {high}], got {value!r}")
