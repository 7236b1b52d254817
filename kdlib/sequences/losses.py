r"""Divergences between two distributions over whole sequences, computed in four ways; and F4.

F2 is :math:`-\sum_y P(y \mid c, z) \log Q(y \mid c', z)`, which is ``divergence=cross_entropy``;
F5 is :math:`\sum_y P(y \mid c, z) \log (P / Q)`, ``divergence=forward_kl``. The functions::

    enumerated_loss      exact      all outcomes are enumerated: V^L terms (F3)
    chain_rule_loss      exact      next-token divergences, weighted by prefix probability
    sampled_loss         estimate   whole sequences are drawn from the teacher
    stepwise_loss        estimate   prefixes are drawn, the next token is summed over
    best_sequence_loss   a different loss: only the teacher's best y counts (F4)

All take teacher P, student Q (over the same vocabulary) and length limit L first. The two can read
different contexts, ``teacher_context`` x = (c, z) and ``student_context`` x' = (c', z). Losses are
scalars in nats with gradient for the student. `kdlib.sequences.exact` says what an outcome is.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from kdlib.losses.divergences import cross_entropy, forward_kl
from kdlib.sequences.exact import (
    LIMIT,
    AutoregressiveModel,
    at_least,
    enumerate_sequences,
    eos_or_none,
    extend,
    position_log_probs,
    refuse_above,
    sample_sequences,
    sequence_log_probs,
)
from kdlib.sequences.search import best_sequence
from kdlib.sequences.sums import sequence_sum

Divergence = Callable[[Tensor, Tensor], Tensor]  # (log P, log Q) -> last dimension reduced
Leader = Literal["teacher", "student"]


class Estimate(NamedTuple):
    """A Monte Carlo estimate of a loss.

    Attributes:
        value: scalar with gradient, in nats.
        standard_error: scalar, of ``value``, in nats.
        samples: the number of sequences.
    """

    value: Tensor
    standard_error: Tensor
    samples: int


def enumerated_loss(
    teacher: AutoregressiveModel,
    student: AutoregressiveModel,
    length: int,
    divergence: Divergence = forward_kl,
    *,
    teacher_context: Any = None,
    student_context: Any = None,
    limit: int = LIMIT,
) -> Tensor:
    """Exact divergence between the two distributions over sequences: F2, F5 or any other.

    Args:
        divergence: any function of (log P, log Q) that reduces the last dimension. The outcomes are
            treated as one large vocabulary.
        limit: the largest number of terms.

    Raises:
        ValueError: if the models differ in V or eos, or if there are more than ``limit`` terms.
    """
    check_pair(teacher, student)
    # Rows correspond without sorting: their order depends only on V, eos and L, which agree.
    log_p = enumerate_sequences(teacher, length, teacher_context, limit=limit).log_probs
    log_q = enumerate_sequences(student, length, student_context, limit=limit).log_probs
    return divergence(log_p, log_q)


def chain_rule_loss(
    teacher: AutoregressiveModel,
    student: AutoregressiveModel,
    length: int,
    divergence: Divergence = forward_kl,
    *,
    teacher_context: Any = None,
    student_context: Any = None,
    along: Leader = "teacher",
    limit: int = LIMIT,
) -> Tensor:
    """Exact sequence loss: the sum of `chain_rule_terms`, a scalar in nats."""
    return chain_rule_terms(
        teacher,
        student,
        length,
        divergence,
        teacher_context=teacher_context,
        student_context=student_context,
        along=along,
        limit=limit,
    ).sum()


def chain_rule_terms(
    teacher: AutoregressiveModel,
    student: AutoregressiveModel,
    length: int,
    divergence: Divergence = forward_kl,
    *,
    teacher_context: Any = None,
    student_context: Any = None,
    along: Leader = "teacher",
    limit: int = LIMIT,
) -> Tensor:
    r"""Exact expected next-token divergence at each position, over all prefixes without eos.

    .. math:: \sum_{y_{<t}} P(y_{<t} \mid x) \, D(P(\cdot \mid y_{<t}, x), Q(\cdot \mid y_{<t}, x'))

    For `cross_entropy` and `forward_kl` the terms sum to F2 and F5 (chain rule of relative
    entropy), and for `reverse_kl` with ``along="student"`` to the reverse KL. For other divergences
    the sum is a token-level loss, not the divergence between whole sequences. Prefixes of
    probability 0 are skipped, so a grammar is cheap.

    Args:
        divergence: D, of next-token distributions.
        along: whose probability weights the prefixes; "student": those it meets when it generates.
        limit: the largest number of prefixes of one length.

    Returns:
        (L,) terms, in nats.

    Raises:
        ValueError: if the models differ in V or eos, for an unknown ``along``, or at the first
            position with more than ``limit`` prefixes.

    Source: Cover and Thomas 2006, theorem 2.5.3.
    """
    check_pair(teacher, student)
    check_along(along)
    at_least("length", length, 1)
    # Ended sequences contribute no further terms, so only prefixes without eos are extended.
    goes_on = torch.arange(teacher.vocab_size) != eos_or_none(teacher.eos_id)
    live, log_w = torch.zeros(1, 0, dtype=torch.int64), torch.zeros(1)
    terms: list[Tensor] = []
    for position in range(length):
        if len(live) == 0:
            break
        log_p = teacher.next_log_probs(live, teacher_context)
        log_q = student.next_log_probs(live, student_context)
        terms.append((log_w.exp() * divergence(log_p, log_q)).sum())
        if position + 1 < length:
            joint = log_w[:, None] + (log_p if along == "teacher" else log_q)
            # exp, not > -inf: a weight that underflows to 0 times an infinite divergence is NaN.
            visited = (joint.exp() > 0) & goes_on
            size = int(visited.sum())
            refuse_above(limit, size, f"{size:,} prefixes of {position + 1} tokens")
            live, log_w = extend(live, joint, visited)
    terms += [torch.zeros_like(terms[0])] * (length - len(terms))
    return torch.stack(terms)


def sampled_loss(
    teacher: AutoregressiveModel,
    student: AutoregressiveModel,
    length: int,
    divergence: Divergence = forward_kl,
    *,
    samples: int,
    generator: torch.Generator,
    teacher_context: Any = None,
    student_context: Any = None,
) -> Estimate:
    r"""Plain, unbiased Monte Carlo estimate of F2 or F5 from sequences drawn from the teacher.

    The mean over y of :math:`-\log Q(y)` for `cross_entropy`, of :math:`\log P(y) - \log Q(y)` for
    `forward_kl`. Its gradient is an unbiased estimate of the gradient of the loss.

    Args:
        divergence: `cross_entropy` or `forward_kl`.
        samples, generator: the number of sequences to draw, and the source of all randomness.

    Raises:
        ValueError: for another divergence, ``samples`` < 2, or if the models differ in V or eos.
    """
    if divergence not in (cross_entropy, forward_kl):
        raise ValueError(
            f"divergence is {getattr(divergence, '__name__', divergence)}: only cross_entropy and "
            "forward_kl are means over the teacher's samples; for KL(Q||P) swap teacher and "
            "student, for others use enumerated_loss"
        )
    check_pair(teacher, student)
    at_least("samples", samples, 2)  # the standard error divides by samples - 1
    drawn = sample_sequences(teacher, length, samples, generator, teacher_context)
    values = -sequence_log_probs(student, drawn.tokens, student_context)
    if divergence is forward_kl:
        values = drawn.log_probs + values
    return _estimate(values)


def stepwise_loss(
    teacher: AutoregressiveModel,
    student: AutoregressiveModel,
    length: int,
    divergence: Divergence = forward_kl,
    *,
    samples: int,
    generator: torch.Generator,
    teacher_context: Any = None,
    student_context: Any = None,
    along: Leader = "teacher",
) -> Estimate:
    r"""Estimate of `chain_rule_loss`: prefixes are sampled, the next token is summed over.

    The mean over sampled y, with t up to the length of y, of
    :math:`\sum_t D(P(\cdot \mid y_{<t}, x), Q(\cdot \mid y_{<t}, x'))`. This Rao-Blackwellised
    estimator is unbiased, and never negative for a KL. At the same cost its variance is mostly
    lower than that of `sampled_loss`, and much lower if Q is close to P. There are exceptions: for
    the cross-entropy of texts of varying length either can win, and if P(y)/Q(y) is the same for
    all y, plain sampling of the KL has no error, but this estimator can.

    Args:
        divergence, samples, generator: D; the others as in `sampled_loss`.
        along: who writes the sequences. The student's carry no gradient: the gradient is that of
            the losses on fixed texts, as in on-policy distillation (Agarwal et al. 2024, "On-Policy
            Distillation of Language Models"), not the full gradient of the expectation.

    Raises:
        ValueError: for ``samples`` < 2, an unknown ``along``, or if the models differ in V or eos.

    Source: Amini et al. 2025 (Better Estimation of the KL Divergence Between Language Models).
    """
    check_pair(teacher, student)
    check_along(along)
    at_least("samples", samples, 2)
    leader, context = (
        (teacher, teacher_context) if along == "teacher" else (student, student_context)
    )
    drawn = sample_sequences(leader, length, samples, generator, context)
    log_p = position_log_probs(teacher, drawn.tokens, teacher_context)
    log_q = position_log_probs(student, drawn.tokens, student_context)
    # The mask drops the padding, where the models are asked about text after the end.
    return _estimate(sequence_sum(divergence(log_p, log_q), drawn.mask))


def best_sequence_loss(
    teacher: AutoregressiveModel,
    student: AutoregressiveModel,
    length: int,
    *,
    teacher_context: Any = None,
    student_context: Any = None,
    beam: int | None = None,
    limit: int = LIMIT,
) -> Tensor:
    r"""Hard-target loss on the teacher's best sequence (F4): sequence-level distillation.

    .. math:: -\log Q(\hat y \mid c', z), \qquad \hat y = \arg\max_y \log P(y \mid c, z)

    This is a different loss, not an estimate of F2: at its minimum the student always produces
    :math:`\hat y`, and the rest of the teacher's distribution is lost. ``beam`` and ``limit`` are
    those of `best_sequence`.

    Raises:
        ValueError: as `best_sequence`, or if the models differ in V or eos.

    Source: Kim and Rush 2016.
    """
    check_pair(teacher, student)
    best = best_sequence(teacher, length, teacher_context, beam=beam, limit=limit)
    return -sequence_log_probs(student, best.tokens[None], student_context).squeeze(0)


def _estimate(values: Tensor) -> Estimate:
    """Mean and standard error of independent values (N,)."""
    error = values.detach().std() / len(values) ** 0.5
    # An infinite value (Q = 0 at a sampled y) makes the deviation inf - inf = NaN; inf is meant.
    error = torch.where(values.detach().isinf().any(), torch.inf, error)
    return Estimate(values.mean(), error, len(values))


def check_pair(teacher: AutoregressiveModel, student: AutoregressiveModel) -> None:
    """Raise ValueError if the two models differ in vocabulary size or eos."""
    for name in ("vocab_size", "eos_id"):
        ours, theirs = getattr(student, name), getattr(teacher, name)
        if ours != theirs:
            raise ValueError(
                f"student.{name} is {ours}, teacher.{name} is {theirs}: they must speak the same "
                "vocabulary"
            )


def check_along(along: str) -> None:
    """Raise ValueError unless ``along`` is "teacher" or "student"."""
    if along not in ("teacher", "student"):
        raise ValueError(f'along is {along!r}: "teacher" or "student", whoever writes the prefixes')
