"""The distance between two distributions over whole sequences, computed four ways; and F4.

    F2   Loss = - sum over y of P(y | c, z) log Q(y | c', z)          `divergence=cross_entropy`
    F5   Loss =   sum over y of P(y | c, z) log (P / Q)                `divergence=forward_kl`

    enumerated_loss      exact   every outcome written down: V^L terms (F3)
    chain_rule_loss      exact   next-token divergences, weighed by the probability of each prefix
    sampled_loss         (value, standard error) from whole sequences drawn from the teacher
    stepwise_loss        (value, standard error) prefixes drawn, the next token summed over
    best_sequence_loss   another loss: only the teacher's best y counts (F4)

All take teacher, student, length first. Teacher and student may read different contexts, x = (c, z)
and x' = (c', z): `teacher_context`, `student_context`. Losses are scalars in nats with gradient for
the student. What counts as an outcome at a given length is said in `sequences`.
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
    """A Monte-Carlo estimate: value (a scalar with gradient), its standard error, sample size."""

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

    The outcomes are one big vocabulary, so any function of (log P, log Q) over the last dimension
    serves.

    Raises: ValueError when the models disagree on V or eos, or when there are more than `limit`
    terms.
    """
    check_pair(teacher, student)
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
    """Exact sequence loss, the sum of `chain_rule_terms`: see there. A scalar, in nats."""
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
    """Expected next-token divergence at each of the L positions (L,), in nats, exact.

    term_t = sum over prefixes y_<t without eos of P(y_<t|x) divergence(P(.|y_<t,x), Q(.|y_<t,x')).

    For `cross_entropy` and `forward_kl` the terms sum to F2 and F5 (chain rule of relative entropy,
    Cover and Thomas 2006, theorem 2.5.3), and so they do for `reverse_kl` with along="student". For
    other divergences the sum is a token-level loss, not the divergence between whole sequences.
    `along="student"` weighs prefixes by the student's own probability: what it meets when it writes
    by itself. Prefixes of probability 0 are skipped, so a grammar is cheap.

    Raises: ValueError when the models disagree on V or eos, for an unknown `along`, or at the first
    position with more than `limit` prefixes.
    """
    check_pair(teacher, student)
    check_along(along)
    at_least("length", length, 1)
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
            # exp, not > -inf: a weight that underflows to 0 must not meet an infinite divergence.
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
    """Plain Monte-Carlo estimate of F2 or F5 from sequences y drawn from the teacher; unbiased.

    The mean over y of -log Q(y) for `cross_entropy`, of log P(y) - log Q(y) for `forward_kl`; the
    gradient is an unbiased estimate of the loss's own.

    Raises: ValueError for any other divergence, for samples < 2, or when the models disagree.
    """
    if divergence not in (cross_entropy, forward_kl):
        raise ValueError(
            f"divergence is {getattr(divergence, '__name__', divergence)}: only cross_entropy and "
            "forward_kl are means over the teacher's samples; for KL(Q||P) swap teacher and "
            "student, for others use enumerated_loss"
        )
    check_pair(teacher, student)
    at_least("samples", samples, 2)
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
    """Estimate of `chain_rule_loss`: only the prefixes are sampled, the next token is summed over.

    The mean over sampled y of sum_t divergence(P(.|y_<t,x), Q(.|y_<t,x')), t up to the length of y.
    Unbiased, and never negative for a KL. This is the Rao-Blackwellised estimator of Amini, Vieira
    and Cotterell 2025, "Better Estimation of the KL Divergence Between Language Models". At the
    same cost its variance is mostly lower than that of `sampled_loss`, by far when Q is close to P.
    Not always: for the cross-entropy of texts whose length varies either may win, and where
    P(y)/Q(y) is the same for all y plain sampling of the KL cannot err, while this estimator can.

    With along="student" the samples are the student's and carry no gradient: the value's gradient
    is that of the losses on fixed texts, which is what on-policy distillation uses (Agarwal et al.
    2024, "On-Policy Distillation of Language Models"), not the whole gradient of the expectation.

    Raises: ValueError for samples < 2, an unknown `along`, or when the models disagree on V or eos.
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
    """F4, the hard-target loss: -log Q(y^|c',z) of the teacher's best sequence y^; nats.

    Sequence-level distillation of Kim and Rush 2016. It is a different loss, not an estimate of F2:
    at its minimum the student says y^ always, and the rest of the teacher's distribution is lost.

    Raises: as `best_sequence`; ValueError when the models disagree on V or eos.
    """
    check_pair(teacher, student)
    best = best_sequence(teacher, length, teacher_context, beam=beam, limit=limit)
    return -sequence_log_probs(student, best.tokens[None], student_context).squeeze(0)


def _estimate(values: Tensor) -> Estimate:
    error = values.detach().std() / len(values) ** 0.5
    # An infinite value (Q = 0 at a sampled y) makes the deviation inf - inf; say inf, not NaN.
    error = torch.where(values.detach().isinf().any(), torch.inf, error)
    return Estimate(values.mean(), error, len(values))


def check_pair(teacher: AutoregressiveModel, student: AutoregressiveModel) -> None:
    """Raises ValueError when the two differ in vocabulary size or eos."""
    for name in ("vocab_size", "eos_id"):
        ours, theirs = getattr(student, name), getattr(teacher, name)
        if ours != theirs:
            raise ValueError(
                f"student.{name} is {ours}, teacher.{name} is {theirs}: they must speak the same "
                "vocabulary"
            )


def check_along(along: str) -> None:
    """Raises ValueError unless along is a Leader."""
    if along not in ("teacher", "student"):
        raise ValueError(f'along is {along!r}: "teacher" or "student", whoever writes the prefixes')
