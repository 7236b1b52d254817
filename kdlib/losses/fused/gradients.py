"""From a chunk's logits to its loss and its gradient in the student's logits, in place.

Apart from the matrix products, a distillation step spends its time here. So matrices of the size of
the logits are read and written as few times as possible, and none is allocated twice: ``gradient``,
for example, is often the memory of ``log_q``, turned into what is needed next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from kdlib.losses.distillation import distillation_loss
from kdlib.losses.fused.buffers import Buffers
from kdlib.losses.fused.compiled import kl_and_gradient, uses_compiled
from kdlib.losses.objectives import Objective
from kdlib.losses.sparse import SparseTargets


@dataclass(frozen=True)
class Chunk:
    """The rows of one chunk, and what to compute from them.

    Attributes:
        student: (N, V) logits, overwritten; in float32 or better, or in half precision where the
            compiled form widens them as it reads.
        teacher: (N, V) logits, overwritten; or sparse targets made at the objective's temperature,
            which serve the forward KL only; or None.
        labels: (N,) token ids, or None.
        weights: (N,) of the rows, or None if all are 1.
        objective: divergence, temperature and the weights of the two terms.
        buffers: memory that lasts from chunk to chunk.
        finite: no logit is -inf, so none has to be looked for. Where one is, the conventions of
            `divergences` hold.
        wants_gradient: whether to compute the gradient in the student's logits.
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
        """The log-softmax of logits (N, V), in the buffer of that name."""
        return torch.log_softmax(logits, -1, out=self.buffers.get(name, len(logits)))

    def sum(self, rows: Tensor) -> Tensor:
        """The sum over rows (N,), weighted: a scalar."""
        return rows.sum() if self.weights is None else (rows * self.weights).sum()

    def cross_entropy(self, log_q: Tensor) -> Tensor:
        """The weighted sum over rows, nats, from log_q (N, V); 0 without labels."""
        if self.labels is None:
            return log_q.new_zeros(())
        return -self.sum(log_q.gather(-1, self.labels.unsqueeze(-1)).squeeze(-1))

    def finished(self, gradient: Tensor, label_weight: float) -> Tensor:
        """Subtract the labels from a gradient (N, V) and weigh its rows, both in place.

        Args:
            gradient: (N, V).
            label_weight: what to subtract at each row's label.

        Returns:
            The same tensor.
        """
        if label_weight and self.labels is not None:
            minus = gradient.new_full((len(gradient), 1), -label_weight)
            gradient.scatter_add_(-1, self.labels.unsqueeze(-1), minus)
        return gradient if self.weights is None else gradient.mul_(self.weights.unsqueeze(-1))


class ChunkLoss(NamedTuple):
    """Sums over a chunk's rows, before the objective's weights, and the gradient of its total.

    Attributes:
        cross_entropy: scalar, nats.
        distillation: scalar, nats.
        gradient: (N, V) of the total in the student's logits, or None.
    """

    cross_entropy: Tensor
    distillation: Tensor
    gradient: Tensor | None

    def total(self, objective: Objective) -> Tensor:
        """The weighted sum of both parts, nats; a weight of 0 silences even an infinite part."""
        a, b = objective.label_weight, objective.teacher_weight
        if not b:
            return a * self.cross_entropy
        return a * self.cross_entropy + b * self.distillation if a else b * self.distillation


def chunk_loss(chunk: Chunk) -> ChunkLoss:
    """The loss of a chunk and its gradient, by the fastest way that its objective allows.

    The chunk's logits are overwritten. The gradient may be in their memory or in the buffers': use
    it before the next chunk.
    """
    objective, teacher = chunk.objective, chunk.teacher
    if isinstance(teacher, Tensor):
        if objective.divergence != "forward_kl":
            return _by_autograd(chunk, teacher)
        plain = chunk.finite and objective.temperature == 1 and chunk.wants_gradient
        if plain and uses_compiled():
            return _by_compiler(chunk, teacher)
    if teacher is None or objective.temperature == 1:
        return _at_temperature_one(chunk)
    return _softened(chunk)


def _at_temperature_one(chunk: Chunk) -> ChunkLoss:
    """The forward KL at temperature 1, where one softmax of the student serves both terms.

    Gradient: label_weight * (Q - label) + teacher_weight * (Q - P).
    """
    a, b = chunk.objective.label_weight, chunk.objective.teacher_weight
    log_q = chunk.log_softmax(chunk.student, "log_q")
    ce = chunk.cross_entropy(log_q)
    # The student's logits are no longer needed, so the teacher's softmax may have their memory.
    term = _teacher_term(chunk, chunk.teacher, log_q, scratch=chunk.student)
    kd = chunk.sum(term.divergence)
    if not chunk.wants_gradient:
        return ChunkLoss(ce, kd, None)
    b = b if chunk.teacher is not None else 0.0
    # a Q + b Q as one product, in one pass over the matrix: separate terms would take several.
    # Only now may log_q become Q: the teacher's term above was made from it.
    gradient = _times(log_q.exp_(), a + b * term.mass)
    if b:
        term.subtract_from(gradient, b)
    return ChunkLoss(ce, kd, chunk.finished(gradient, a))


def _by_compiler(chunk: Chunk, teacher: Tensor) -> ChunkLoss:
    """The same as `_at_temperature_one`, for finite logits."""
    a, b, student = chunk.objective.label_weight, chunk.objective.teacher_weight, chunk.student
    # Read before they are overwritten: -log q(label) = log-sum-exp - logit(label).
    at_labels = (
        None if chunk.labels is None else student.gather(-1, chunk.labels.unsqueeze(-1)).squeeze(-1)
    )
    kl, log_sum = kl_and_gradient(student, teacher, a, b)
    ce = kl.new_zeros(()) if at_labels is None else chunk.sum(log_sum - at_labels)
    return ChunkLoss(ce, chunk.sum(kl), chunk.finished(student, a))


def _softened(chunk: Chunk) -> ChunkLoss:
    """The forward KL at another temperature.

    Gradient: label_weight * (Q - label) + teacher_weight * s * (Q_T - P_T), with s = T if the
    objective has its factor T², else s = 1/T.
    """
    objective, student = chunk.objective, chunk.student
    a, b, t = objective.label_weight, objective.teacher_weight, objective.temperature
    factor = t**2 if objective.scale_by_t_squared else 1.0
    ce, q = student.new_zeros(()), None
    if chunk.labels is not None:
        # Labels are compared at temperature 1: a second softmax, kept in a buffer of its own.
        log_q = chunk.log_softmax(student, "log_q")
        ce = chunk.cross_entropy(log_q)
        q = log_q.exp_() if a and chunk.wants_gradient else None
    softened = chunk.log_softmax(student.div_(t), "softened")  # the logits at T = 1 are gone
    teacher = chunk.teacher.div_(t) if isinstance(chunk.teacher, Tensor) else chunk.teacher
    term = _teacher_term(chunk, teacher, softened, scratch=student)
    kd = factor * chunk.sum(term.divergence)
    if not chunk.wants_gradient:
        return ChunkLoss(ce, kd, None)
    gradient = _times(softened.exp_(), term.mass)
    term.subtract_from(gradient, 1.0)
    gradient.mul_(b * factor / t)  # the 1/T comes from the chain rule: logits are divided by T
    if q is not None:
        gradient.add_(q, alpha=a)
    return ChunkLoss(ce, kd, chunk.finished(gradient, a if q is not None else 0.0))


def _by_autograd(chunk: Chunk, teacher: Tensor) -> ChunkLoss:
    """Any divergence, through a graph that lives no longer than the chunk."""
    with torch.enable_grad():  # inside an autograd function, gradients are off
        leaf = chunk.student.detach().requires_grad_()
        loss = distillation_loss(
            leaf, teacher, chunk.labels,
            # No label is to be ignored: rows that do not count were left out before.
            objective=chunk.objective, token_weights=chunk.weights, ignore_index=None,
        )  # fmt: skip
    zero = leaf.new_zeros(())
    ce, kd = (loss.parts.get(name, zero) for name in ("cross_entropy", "distillation"))
    gradient = torch.autograd.grad(loss.total, leaf)[0] if chunk.wants_gradient else None
    return ChunkLoss(ce, kd, gradient)


def _times(matrix: Tensor, factor: float | Tensor) -> Tensor:
    """The product in place; the weights of a whole distribution often add up to 1: no pass then."""
    return matrix if isinstance(factor, float) and factor == 1 else matrix.mul_(factor)


class TeacherTerm(NamedTuple):
    """A divergence of each row, and its gradient in the student's logits: mass * Q - p.

    Attributes:
        divergence: (N,), nats.
        mass: a number, or (N, 1): 1 for a whole distribution, less where a part of it passes no
            gradient.
        p: (N, V) on all slots, or (N, k) on the slots ``ids``; None without a teacher.
        ids: (N, k) tokens, or None.
    """

    divergence: Tensor
    mass: float | Tensor
    p: Tensor | None = None
    ids: Tensor | None = None

    def subtract_from(self, gradient: Tensor, weight: float) -> None:
        """Subtract weight * p from a gradient (N, V), in place."""
        if self.p is None:  # there is no teacher
            return
        if self.ids is None:
            gradient.sub_(self.p, alpha=weight)
        else:  # k numbers per row, not V; added, not assigned: a token drawn twice counts twice
            gradient.scatter_add_(-1, self.ids, self.p * -weight)


def _teacher_term(
    chunk: Chunk, teacher: Tensor | SparseTargets | None, log_q: Tensor, scratch: Tensor
) -> TeacherTerm:
    """The term of a teacher at the temperature of log_q (N, V).

    The teacher's logits and ``scratch`` (N, V) may be overwritten; log_q is only read.
    """
    if teacher is None:
        return TeacherTerm(log_q.new_zeros(len(log_q)), 0.0)
    if isinstance(teacher, SparseTargets):
        return _sparse_term(teacher, log_q, scratch)
    return _dense_term(teacher, log_q, chunk.finite, scratch)


def _dense_term(teacher: Tensor, log_q: Tensor, finite: bool, scratch: Tensor) -> TeacherTerm:
    """KL(P‖Q) from the teacher's logits; they and ``scratch`` are overwritten."""
    log_p = torch.log_softmax(teacher, -1, out=scratch)
    p = torch.exp(log_p, out=teacher)  # the teacher's logits end here, and P takes their memory
    if finite:
        # In place: p (log p - log q) as a matrix of its own would be allocated in every chunk, and
        # torch.linalg.vecdot makes one.
        return TeacherTerm(log_p.sub_(log_q).mul_(p).sum(-1), 1.0, p)
    excluded = log_p == -torch.inf
    ratio = log_p.sub_(log_q).masked_fill_(excluded, 0)  # 0 log 0 = 0, and never 0 * inf = NaN
    impossible = ratio == torch.inf
    kl = ratio.masked_fill_(impossible, 0).mul_(p).sum(-1)
    # The infinity is put in afterwards: a p that underflows to 0 would make 0 * inf = NaN of it.
    kl.masked_fill_(impossible.any(-1), torch.inf)
    p.masked_fill_(impossible, 0)  # an infinite term passes no gradient
    return TeacherTerm(kl, p.sum(-1, keepdim=True), p)


def _sparse_term(targets: SparseTargets, log_q: Tensor, scratch: Tensor) -> TeacherTerm:
    """The loss of sparse targets; with a tail, ``scratch`` is overwritten.

    The teacher does not say how its tail is shared out. So the gradient is that of a teacher who
    shares it out as the student does: as q / r, with r the mass of all the student's others.
    """
    targets = targets.to(log_q.dtype)
    mass = targets.weights.sum(-1, keepdim=True)
    if targets.tail is None:  # no dense row of the teacher is made
        return TeacherTerm(targets.divergence(log_q), mass, targets.weights, targets.ids)
    log_r = targets.others(log_q)
    # An infinite term passes no gradient.
    tail = targets.tail.masked_fill(log_r == -torch.inf, 0).unsqueeze(-1)
    # In logarithms: r may be too small for a number, and t / r so large that (t - t / r) Q has no
    # digit left. At the kept tokens, where this may overflow, it is overwritten.
    shift = torch.where(tail == 0, torch.inf, log_r.unsqueeze(-1) - tail.log())
    p = torch.sub(log_q, shift, out=scratch).exp_()
    p.scatter_(-1, targets.ids, 0).scatter_add_(-1, targets.ids, targets.weights)
    return TeacherTerm(targets.divergence(log_q, log_r), mass + tail, p)
