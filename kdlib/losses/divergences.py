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

Every function raises TypeError for anything but floating-point tensors, and ValueError for shapes
that do not fit, an empty vocabulary, or a parameter outside its range.
"""

import functools
import inspect
import math
from collections.abc import Callable
from numbers import Real

import torch
from torch import Tensor

from kdlib.losses.vocabulary_sums import (
    INF,
    ForwardKL,
    alpha_beta_terms,
    log_mix,
    same_dtype_and_shape,
    sum_over_slots,
)


def entropy(log_p: Tensor) -> Tensor:
    r"""Shannon entropy of P, the least cross-entropy that any student can reach.

    .. math:: H(P) = -\sum_v p_v \log p_v

    Args:
        log_p: (..., V) log-probabilities.

    Returns:
        (...), nats, between 0 (one-hot) and log V (uniform).

    Source: Shannon 1948, section 6.
    """
    return cross_entropy(log_p, log_p)


def cross_entropy(log_p: Tensor, log_q: Tensor) -> Tensor:
    r"""Cross-entropy of Q under P: the student's expected surprise at the teacher's draws.

    .. math::
        \mathrm{CE}(P, Q) = -\sum_v p_v \log q_v = \mathrm{KL}(P \,\Vert\, Q) + H(P)

    Gradient in :math:`\log q_v`: :math:`-p_v`, the same as that of `forward_kl`.

    Args:
        log_p, log_q: (..., V) log-probabilities of teacher and student.

    Returns:
        (...), nats; at P = Q it is H(P), not 0. +inf where Q = 0 < P.

    Source: Hinton et al. 2015, section 2.
    """
    return sum_over_slots(log_p, log_q, lambda a, b: -a.exp() * b, INF)


def forward_kl(log_p: Tensor, log_q: Tensor) -> Tensor:
    r"""Forward KL: the student must cover all that the teacher does.

    .. math:: \mathrm{KL}(P \,\Vert\, Q) = \sum_v p_v (\log p_v - \log q_v)

    Gradient in :math:`\log q_v`: :math:`-p_v`; in the student's logits: :math:`q_v - p_v`. It is
    differentiable once in log P, any number of times in log Q.

    Args:
        log_p, log_q: (..., V) log-probabilities of teacher and student.

    Returns:
        (...), nats; +inf where Q = 0 < P.

    Raises:
        RuntimeError: for a second derivative in log P.

    Source: Kullback and Leibler 1951.
    """
    divergence: Tensor = ForwardKL.apply(  # type: ignore[no-untyped-call]  # torch gives it none
        *same_dtype_and_shape(log_p, log_q)
    )
    return divergence


def reverse_kl(log_p: Tensor, log_q: Tensor) -> Tensor:
    r"""Reverse KL: the student must stay where the teacher is.

    .. math:: \mathrm{KL}(Q \,\Vert\, P) = \sum_v q_v (\log q_v - \log p_v)

    Gradient in the student's logits: :math:`q_v (\log q_v - \log p_v - \mathrm{KL})`.
    Differentiable once in log Q (see `forward_kl`).

    Args:
        log_p, log_q: (..., V) log-probabilities of teacher and student.

    Returns:
        (...), nats; +inf where P = 0 < Q.

    Source: Gu et al. 2024 (MiniLLM).
    """
    return forward_kl(log_q, log_p)


def symmetric_kl(log_p: Tensor, log_q: Tensor) -> Tensor:
    r"""Half of Jeffreys' divergence: the mean of the two KLs.

    .. math::
        \tfrac12 \bigl(\mathrm{KL}(P \,\Vert\, Q) + \mathrm{KL}(Q \,\Vert\, P)\bigr)

    Differentiable once (see `forward_kl`).

    Args:
        log_p, log_q: (..., V) log-probabilities of teacher and student.

    Returns:
        (...), nats; +inf where one of P and Q is 0 and the other is not.

    Source: Jeffreys 1946.
    """
    return (forward_kl(log_p, log_q) + reverse_kl(log_p, log_q)) / 2


def jensen_shannon(log_p: Tensor, log_q: Tensor) -> Tensor:
    r"""Jensen-Shannon divergence: symmetric, finite for any zeros, at most log 2.

    .. math::
        \tfrac12 \bigl(\mathrm{KL}(P \,\Vert\, M) + \mathrm{KL}(Q \,\Vert\, M)\bigr),
        \quad M = \tfrac12 (P + Q)

    Args:
        log_p, log_q: (..., V) log-probabilities of teacher and student.

    Returns:
        (...), nats.

    Source: Lin 1991.
    """
    return generalized_jsd(log_p, log_q, 0.5)


def generalized_jsd(log_p: Tensor, log_q: Tensor, beta: float) -> Tensor:
    r"""Generalised Jensen-Shannon divergence, with weight beta on the teacher.

    .. math::
        \beta \, \mathrm{KL}(P \,\Vert\, M) + (1 - \beta) \, \mathrm{KL}(Q \,\Vert\, M),
        \quad M = \beta P + (1 - \beta) Q

    Continuous in beta, hence 0 at both ends. Other libraries jump to KL(P‖Q) at 0 and to KL(Q‖P)
    at 1: these are the limits of this divergence divided by beta, and by 1 - beta, not its own.

    Args:
        log_p, log_q: (..., V) log-probabilities of teacher and student.
        beta: in [0, 1].

    Returns:
        (...), nats; finite for any zeros.

    Raises:
        ValueError: for a beta out of range.

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
    r"""Skew KL: forward KL to a student into which a share alpha of the teacher is mixed.

    .. math:: \mathrm{KL}(P \,\Vert\, \alpha P + (1 - \alpha) Q)

    The forward KL at alpha = 0, falling to 0 at alpha = 1. Divided by :math:`(1 - \alpha)^2` it
    tends there to half of chi-squared, :math:`\tfrac12 \sum_v (q_v - p_v)^2 / p_v`, and not to the
    reverse KL. `generalized_jsd` and `alpha_beta` lead from one direction to the other.

    Args:
        log_p, log_q: (..., V) log-probabilities of teacher and student.
        alpha: in [0, 1].

    Returns:
        (...), nats; at most -log alpha, whatever the zeros.

    Raises:
        ValueError: for an alpha out of range.

    Source: Lee 1999; Ko et al. 2024 (DistiLLM).
    """
    _check_range("alpha", alpha, 0, 1)

    def shared(a: Tensor, b: Tensor) -> Tensor:
        return -a.exp() * log_mix(b - a, alpha, 1 - alpha)

    return sum_over_slots(log_p, log_q, shared, -math.log(alpha) if alpha else INF)


def skew_reverse_kl(log_p: Tensor, log_q: Tensor, alpha: float) -> Tensor:
    r"""Skew reverse KL: reverse KL to a teacher with a share alpha of the student mixed in.

    .. math:: \mathrm{KL}(Q \,\Vert\, \alpha Q + (1 - \alpha) P)

    The reverse KL at alpha = 0, falling to 0 at alpha = 1.

    Args:
        log_p, log_q: (..., V) log-probabilities of teacher and student.
        alpha: in [0, 1].

    Returns:
        (...), nats; at most -log alpha, whatever the zeros.

    Raises:
        ValueError: for an alpha out of range.

    Source: Ko et al. 2024 (DistiLLM).
    """
    return skew_kl(log_q, log_p, alpha)


def alpha_beta(log_p: Tensor, log_q: Tensor, alpha: float, beta: float) -> Tensor:
    r"""Alpha-beta divergence: one family from forward KL (1, 0) to reverse KL (0, 1).

    .. math::
        -\frac{1}{\alpha \beta} \sum_v \Bigl[ p_v^\alpha q_v^\beta
        - \frac{\alpha}{s} p_v^s - \frac{\beta}{s} q_v^s \Bigr], \quad s = \alpha + \beta

    At alpha = 0, beta = 0 and s = 0 it takes its limits; at (0, 0) this is
    :math:`\tfrac12 \sum_v (\log p_v - \log q_v)^2`.

    Args:
        log_p, log_q: (..., V) log-probabilities of teacher and student.
        alpha, beta: in [-100, 100], with s >= 0.

    Returns:
        (...), nats if s = 1. A slot with Q = 0 < P is +inf unless beta > 0 and s > 0; one with
        P = 0 < Q is +inf unless alpha > 0 and s > 0; one that both exclude counts 0. A term with a
        negative parameter may overflow; it is then +inf with a gradient that is not finite.

    Raises:
        ValueError: for a parameter out of range; s < 0 would let the unlikeliest tokens dominate.

    Source: Cichocki, Cruces and Amari 2011; Wang et al. 2025 (ABKD).
    """
    _check_range("alpha", alpha, -100, 100)
    _check_range("beta", beta, -100, 100)
    # So near to a limit, the limit is exact in float64, and 1 / (alpha beta s) overflows in float32.
    alpha, beta = (0.0 if abs(value) < 1e-12 else value for value in (alpha, beta))
    s = alpha + beta
    if s < 0:
        raise ValueError(f"alpha + beta must be at least 0, got {alpha!r} + {beta!r}")
    p_alone = 1 / (beta * s) if beta * s > 0 else INF
    q_alone = 1 / (alpha * s) if alpha * s > 0 else INF
    shared = functools.partial(alpha_beta_terms, alpha=alpha, beta=beta)
    return sum_over_slots(log_p, log_q, shared, p_alone, q_alone, power=s)


def total_variation(log_p: Tensor, log_q: Tensor) -> Tensor:
    r"""Total variation: the largest difference in probability over all events.

    .. math:: \tfrac12 \sum_v |p_v - q_v|

    The gradient at a tie :math:`p_v = q_v` is 0. At temperature T value and gradient are of the
    order 1/T, those of the other divergences :math:`1/T^2`: multiplied by :math:`T^2`, as in
    distillation, they grow like T.

    Args:
        log_p, log_q: (..., V) log-probabilities of teacher and student.

    Returns:
        (...), in [0, 1], without a unit.

    Source: Wen et al. 2023 (f-distillation).
    """
    log_p, log_q = same_dtype_and_shape(log_p, log_q)
    return (log_p.exp() - log_q.exp()).abs().sum(-1) / 2


def hellinger_squared(log_p: Tensor, log_q: Tensor) -> Tensor:
    r"""Squared Hellinger distance.

    .. math:: \tfrac12 \sum_v (\sqrt{p_v} - \sqrt{q_v})^2

    Args:
        log_p, log_q: (..., V) log-probabilities of teacher and student.

    Returns:
        (...), in [0, 1], without a unit.

    Source: Hellinger 1909.
    """
    log_p, log_q = same_dtype_and_shape(log_p, log_q)
    # The same number as 1 - sum sqrt(p q), which loses all its digits near P = Q.
    return ((log_p / 2).exp() - (log_q / 2).exp()).square().sum(-1) / 2


def adaptive_kl(log_p: Tensor, log_q: Tensor, mu: float = 0.5) -> Tensor:
    r"""Adaptive KL: the more P and Q differ in P's head, the more of forward KL; else reverse KL.

    .. math::
        w \, \mathrm{KL}(P \,\Vert\, Q) + (1 - w) \, \mathrm{KL}(Q \,\Vert\, P),
        \quad w = \frac{g_\text{head}}{g_\text{head} + g_\text{tail}}

    Each g is the sum of :math:`|p_v - q_v|` over its part of the vocabulary. The head is the
    smallest set of P's likeliest tokens with mass >= mu; ties go by index. (The authors' code
    leaves the token that crosses mu to the tail, unless it is the first.) The weights pass no
    gradient. Differentiable once (see `forward_kl`).

    Args:
        log_p, log_q: (..., V) log-probabilities of teacher and student.
        mu: in [0, 1].

    Returns:
        (...), nats; a KL whose weight rounds to 0 counts 0 even if infinite.

    Raises:
        ValueError: for a mu out of range.

    Source: Wu et al. 2024.
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

    Example: ``get_divergence("skew_kl", alpha=0.1)``.

    Args:
        name: a name in ``DIVERGENCES``.
        **parameters: all that the divergence takes beside log_p and log_q.

    Raises:
        ValueError: now, and not in training, for an unknown name, a parameter that is missing or
            unknown, and a value out of range.
    """
    if name not in DIVERGENCES:
        raise ValueError(f"divergence must be one of {', '.join(DIVERGENCES)}, got {name!r}")
    function = functools.partial(DIVERGENCES[name], **parameters)
    try:
        function(torch.zeros(1), torch.zeros(1))  # raises ValueError for a value out of range
    except TypeError as error:
        expected = ", ".join(parameter_names(name)) or "none"
        raise ValueError(f"{error}; its parameters: {expected}") from None
    return function


def parameter_names(name: str) -> list[str]:
    """What a divergence takes beside log_p and log_q.

    Args:
        name: a name in ``DIVERGENCES``.
    """
    _, _, *names = inspect.signature(DIVERGENCES[name]).parameters
    return names


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not isinstance(value, Real) or not low <= value <= high:
        raise ValueError(f"{name} must be a number in [{low}, {high}], got {value!r}")
