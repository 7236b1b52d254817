"""From a chunk's logits to its loss and its gradient in the student's logits, in place.

Here the time of a distillation step is spent, beside its matrix products. So matrices of the size
of the logits are passed over as few times as can be, and none is allocated twice: a name such as
`gradient` often is the memory of `log_q`, turned into what is needed next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from kdlib.losses.distillation import distillation_loss
from kdlib.losses.fused.buffers import Buffers
from kdlib.losses.fused.compiled import is_preferred, kl_and_gradient
from kdlib.losses.objectives import Objective
from kdlib.losses.sparse import SparseTargets


@dataclass(frozen=True)
class Chunk:
    """The rows of one chunk, and what is to be made of them.

    Args:
        student: (N, V) logits in float32 or better; used up.
        teacher: (N, V) logits, used up; or sparse targets, made at the objective's temperature,
            which know the forward KL only; or None.
        labels: (N,) or None.
        weights: (N,) of the rows, or None where all are 1.
        objective: divergence, temperature and the weights of the two terms.
        buffers: memory that lasts from chunk to chunk.
        finite: no logit is -inf, so none has to be looked for. Where one is, the conventions of
            `divergences` hold.
        wants_gradient: whether the gradient in the student's logits is made.
    """

    student: Tensor
    teacher: Tensor | SparseTargets | None
    labels: Tensor | None
    weights: Tensor | None
    objective: Objective
    buffers: Buffers
    finite: bool
    wants_gradient: bool

    def log_softmax(self, logits: Tensor, name: str) -> Tensor:
        """Into the buffer of that name."""
        return torch.log_softmax(logits, -1, out=self.buffers.get(name, len(logits)))

    def sum(self, rows: Tensor) -> Tensor:
        """(N,) -> (), weighted."""
        return rows.sum() if self.weights is None else (rows * self.weights).sum()

    def cross_entropy(self, log_q: Tensor) -> Tensor:
        if self.labels is None:
            return log_q.new_zeros(())
        return -self.sum(log_q.gather(-1, self.labels.unsqueeze(-1)).squeeze(-1))

    def finished(self, gradient: Tensor, label_weight: float) -> Tensor:
        """Minus the labels, times the rows' weights: in place."""
        if label_weight and self.labels is not None:
            minus = gradient.new_full((len(gradient), 1), -label_weight)
            gradient.scatter_add_(-1, self.labels.unsqueeze(-1), minus)
        return gradient if self.weights is None else gradient.mul_(self.weights.unsqueeze(-1))


class ChunkLoss(NamedTuple):
    """Sums over a chunk's rows, unweighted by the objective, and the gradient of its total."""

    cross_entropy: Tensor
    distillation: Tensor
    gradient: Tensor | None

    def total(self, objective: Objective) -> Tensor:
        """label_weight * CE + teacher_weight * KD; a weight of 0 silences even an infinite part."""
        a, b = objective.label_weight, objective.teacher_weight
        if not b:
            return a * self.cross_entropy
        return a * self.cross_entropy + b * self.distillation if a else b * self.distillation


def chunk_loss(chunk: Chunk) -> ChunkLoss:
    """The loss of a chunk and its gradient, by the shortest way that its objective allows."""
    objective, teacher = chunk.objective, chunk.teacher
    if isinstance(teacher, Tensor):
        if objective.divergence != "forward_kl":
            return _by_autograd(chunk, teacher)
        plain = chunk.finite and objective.temperature == 1 and chunk.wants_gradient
        if plain and is_preferred(chunk.student):
            return _by_compiler(chunk, teacher)
    if teacher is None or objective.temperature == 1:
        return _at_temperature_one(chunk)
    return _softened(chunk)


def _at_temperature_one(chunk: Chunk) -> ChunkLoss:
    """Gradient: label_weight * (Q - label) + teacher_weight * (Q - P): one softmax serves both."""
    a, b = chunk.objective.label_weight, chunk.objective.teacher_weight
    log_q = chunk.log_softmax(chunk.student, "log_q")
    ce = chunk.cross_entropy(log_q)
    # The student's logits are not needed any more, so the teacher's softmax may have their memory.
    term = _teacher_term(chunk, chunk.teacher, log_q, scratch=chunk.student)
    kd = chunk.sum(term.divergence)
    if not chunk.wants_gradient:
        return ChunkLoss(ce, kd, None)
    b = b if chunk.teacher is not None else 0.0
    # a Q + b Q in one multiplication: one pass over V numbers a row, where two sums would take four.
    gradient = log_q.exp_().mul_(a + b * term.mass)
    if b:
        term.subtract_from(gradient, b)
    return ChunkLoss(ce, kd, chunk.finished(gradient, a))


def _by_compiler(chunk: Chunk, teacher: Tensor) -> ChunkLoss:
    """The same as `_at_temperature_one`, for finite logits."""
    a, b, student = chunk.objective.label_weight, chunk.objective.teacher_weight, chunk.student
    # Before they are overwritten: -log q(label) = log-sum-exp - logit(label).
    at_labels = (
        None if chunk.labels is None else student.gather(-1, chunk.labels.unsqueeze(-1)).squeeze(-1)
    )
    kl, log_sum = kl_and_gradient(student, teacher, a, b)
    ce = kl.new_zeros(()) if at_labels is None else chunk.sum(log_sum - at_labels)
    return ChunkLoss(ce, chunk.sum(kl), chunk.finished(student, a))


def _softened(chunk: Chunk) -> ChunkLoss:
    """Gradient: label_weight * (Q - label) + teacher_weight * s * (Q_T - P_T), with s = T where the
    objective has its T², else 1/T."""
    objective, student = chunk.objective, chunk.student
    a, b, t = objective.label_weight, objective.teacher_weight, objective.temperature
    factor = t**2 if objective.scale_by_t_squared else 1.0
    ce, q = student.new_zeros(()), None
    if chunk.labels is not None:
        # The labels are compared at temperature 1, so a second softmax is made, and kept.
        log_q = chunk.log_softmax(student, "log_q")
        ce = chunk.cross_entropy(log_q)
        q = log_q.exp_() if a and chunk.wants_gradient else None
    softened = chunk.log_softmax(student.div_(t), "softened")
    teacher = chunk.teacher.div_(t) if isinstance(chunk.teacher, Tensor) else chunk.teacher
    term = _teacher_term(chunk, teacher, softened, scratch=student)
    kd = factor * chunk.sum(term.divergence)
    if not chunk.wants_gradient:
        return ChunkLoss(ce, kd, None)
    gradient = softened.exp_().mul_(term.mass)
    term.subtract_from(gradient, 1.0)
    gradient.mul_(b * factor / t)  # the 1/T comes from the chain rule: logits are divided by T
    if q is not None:
        gradient.add_(q, alpha=a)
    return ChunkLoss(ce, kd, chunk.finished(gradient, a if q is not None else 0.0))


def _by_autograd(chunk: Chunk, teacher: Tensor) -> ChunkLoss:
    """Any divergence, through a graph that lives no longer than the chunk."""
    with torch.enable_grad():
        leaf = chunk.student.detach().requires_grad_()
        loss = distillation_loss(
            leaf, teacher, chunk.labels,
            objective=chunk.objective, token_weights=chunk.weights, ignore_index=None,
        )  # fmt: skip
    zero = leaf.new_zeros(())
    ce, kd = (loss.parts.get(name, zero) for name in ("cross_entropy", "distillation"))
    gradient = torch.autograd.grad(loss.total, leaf)[0] if chunk.wants_gradient else None
    return ChunkLoss(ce, kd, gradient)


# --- The teacher's term -------------------------------------------------------------------------


class TeacherTerm(NamedTuple):
    """A divergence of each row (N,), and its gradient in the student's logits: mass * Q - p, where p
    stands on all slots (N, V), or on the slots `ids` (N, k) only.

    mass is 1 where P is a whole distribution; less, where a part of it passes no gradient.
    """

    divergence: Tensor
    mass: float | Tensor
    p: Tensor | None = None
    ids: Tensor | None = None

    def subtract_from(self, gradient: Tensor, weight: float) -> None:
        if self.p is None:  # there is no teacher
            return
        if self.ids is None:
            gradient.sub_(self.p, alpha=weight)
        else:  # k numbers a row, not V: a dense row of the teacher is never made
            gradient.scatter_add_(-1, self.ids, self.p * -weight)


def _teacher_term(
    chunk: Chunk, teacher: Tensor | SparseTargets | None, log_q: Tensor, scratch: Tensor
) -> TeacherTerm:
    """`teacher` at the temperature of log_q (N, V); `scratch` (N, V) may be overwritten."""
    if teacher is None:
        return TeacherTerm(log_q.new_zeros(len(log_q)), 0.0)
    if isinstance(teacher, SparseTargets):
        return _sparse_term(teacher, log_q)
    return _dense_term(teacher, log_q, chunk.finite, scratch)


def _dense_term(teacher: Tensor, log_q: Tensor, finite: bool, scratch: Tensor) -> TeacherTerm:
    """KL(P||Q) from the teacher's logits; they and `scratch` are used up."""
    log_p = torch.log_softmax(teacher, -1, out=scratch)
    p = torch.exp(log_p, out=teacher)
    if finite:
        # A dot product a row: the sum of p (log p - log q) without a matrix of the products.
        return TeacherTerm(torch.linalg.vecdot(p, log_p.sub_(log_q)), 1.0, p)
    excluded = log_p == -torch.inf
    ratio = log_p.sub_(log_q).masked_fill_(excluded, 0)  # 0 log 0 = 0, and never 0 * inf = NaN
    impossible = ratio == torch.inf
    kl = torch.linalg.vecdot(p, ratio.masked_fill_(impossible, 0))
    kl.masked_fill_(impossible.any(-1), torch.inf)
    p.masked_fill_(impossible, 0)  # an infinite term passes no gradient
    return TeacherTerm(kl, p.sum(-1, keepdim=True), p)


def _sparse_term(targets: SparseTargets, log_q: Tensor) -> TeacherTerm:
    """With a tail, every token in it is drawn by the ratio of the two tails: one factor for all of
    them, so it is taken into the mass, and taken back at the kept tokens."""
    targets = targets.to(log_q.dtype)
    kl, mass, p = targets.divergence(log_q), targets.weights.sum(-1, keepdim=True), targets.weights
    if targets.tail is not None:
        tail = targets.tail.unsqueeze(-1)
        ratio = tail / targets.others(log_q).exp().unsqueeze(-1)
        mass = mass + tail - ratio
        p = p - ratio * log_q.gather(-1, targets.ids).exp()
    return TeacherTerm(kl, mass, p, targets.ids)
