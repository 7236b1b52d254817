"""From a chunk's logits to its loss and its gradient in the student's logits, in place.

Here the time of a distillation step is spent, beside its matrix products. So matrices of the size
of the logits are passed over as few times as can be, and none is allocated twice.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from kdlib.losses.distillation import distillation_loss
from kdlib.losses.fused.buffers import Buffers
from kdlib.losses.fused.compiled import is_preferred, kl_and_gradient
from kdlib.losses.objectives import Objective
from kdlib.losses.sparse import SparseTargets


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


def chunk_loss(
    student: Tensor,
    teacher: Tensor | SparseTargets | None,
    labels: Tensor | None,
    weights: Tensor | None,
    objective: Objective,
    buffers: Buffers,
    *,
    finite: bool,
    wants_gradient: bool,
) -> ChunkLoss:
    """student, teacher (N, V) in float32 or better are used up; labels, weights (N). The teacher may
    also be sparse targets, made at the objective's temperature; they know the forward KL only.

    finite: no logit is -inf, so nothing has to be looked for. Where one is, the conventions of
    `divergences` hold.
    """
    if isinstance(teacher, Tensor) and objective.divergence != "forward_kl":
        return _by_autograd(student, teacher, labels, weights, objective, wants_gradient)
    plain = finite and objective.temperature == 1 and wants_gradient
    if isinstance(teacher, Tensor) and plain and is_preferred(student):
        return _by_compiler(student, teacher, labels, weights, objective)
    if teacher is None or objective.temperature == 1:
        return _at_temperature_one(
            student, teacher, labels, weights, objective, buffers, finite, wants_gradient
        )
    return _softened(student, teacher, labels, weights, objective, buffers, finite, wants_gradient)


def _at_temperature_one(
    student: Tensor,
    teacher: Tensor | SparseTargets | None,
    labels: Tensor | None,
    weights: Tensor | None,
    objective: Objective,
    buffers: Buffers,
    finite: bool,
    wants_gradient: bool,
) -> ChunkLoss:
    """Gradient: label_weight * (Q - label) + teacher_weight * (Q - P): one softmax serves both."""
    a, b = objective.label_weight, objective.teacher_weight if teacher is not None else 0.0
    log_q = torch.log_softmax(student, -1, out=buffers.get("log_q", len(student)))
    ce = _cross_entropy(log_q, labels, weights)
    pull = _pull(teacher, log_q, finite, spare=student)
    kd = _sum(pull.kl, weights)
    if not wants_gradient:
        return ChunkLoss(ce, kd, None)
    gradient = log_q.exp_()
    gradient.mul_(a + b * pull.mass)
    if b:
        pull.subtract_from(gradient, b)
    if a and labels is not None:
        _subtract_labels(gradient, labels, a)
    return ChunkLoss(ce, kd, _weigh_rows(gradient, weights))


def _by_compiler(
    student: Tensor,
    teacher: Tensor,
    labels: Tensor | None,
    weights: Tensor | None,
    objective: Objective,
) -> ChunkLoss:
    """The same as `_at_temperature_one`, for finite logits."""
    a, b = objective.label_weight, objective.teacher_weight
    at_labels = None if labels is None else student.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    kl, mass = kl_and_gradient(student, teacher, a, b)
    ce = kl.new_zeros(()) if at_labels is None else _sum(mass - at_labels, weights)
    if a and labels is not None:
        _subtract_labels(student, labels, a)
    return ChunkLoss(ce, _sum(kl, weights), _weigh_rows(student, weights))


def _softened(
    student: Tensor,
    teacher: Tensor | SparseTargets | None,
    labels: Tensor | None,
    weights: Tensor | None,
    objective: Objective,
    buffers: Buffers,
    finite: bool,
    wants_gradient: bool,
) -> ChunkLoss:
    """Gradient: label_weight * (Q - label) + teacher_weight * s * (Q_T - P_T), with s = T where the
    objective has its T², else 1/T."""
    a, b, t = objective.label_weight, objective.teacher_weight, objective.temperature
    factor = t**2 if objective.scale_by_t_squared else 1.0
    ce, q = student.new_zeros(()), None
    if labels is not None:
        log_q = torch.log_softmax(student, -1, out=buffers.get("log_q", len(student)))
        ce = _cross_entropy(log_q, labels, weights)
        q = log_q.exp_() if a and wants_gradient else None
    student.div_(t)
    softened = torch.log_softmax(student, -1, out=buffers.get("softened", len(student)))
    teacher = teacher.div_(t) if isinstance(teacher, Tensor) else teacher
    pull = _pull(teacher, softened, finite, spare=student)
    kd = factor * _sum(pull.kl, weights)
    if not wants_gradient:
        return ChunkLoss(ce, kd, None)
    gradient = softened.exp_().mul_(pull.mass)
    pull.subtract_from(gradient, 1.0)
    gradient.mul_(b * factor / t)
    if q is not None and labels is not None:
        gradient.add_(q, alpha=a)
        _subtract_labels(gradient, labels, a)
    return ChunkLoss(ce, kd, _weigh_rows(gradient, weights))


def _by_autograd(
    student: Tensor,
    teacher: Tensor,
    labels: Tensor | None,
    weights: Tensor | None,
    objective: Objective,
    wants_gradient: bool,
) -> ChunkLoss:
    """Any divergence, through a graph that lives no longer than the chunk."""
    with torch.enable_grad():
        leaf = student.detach().requires_grad_()
        loss = distillation_loss(
            leaf, teacher, labels, objective=objective, token_weights=weights, ignore_index=None
        )
    zero = student.new_zeros(())
    ce, kd = (loss.parts.get(name, zero) for name in ("cross_entropy", "distillation"))
    gradient = torch.autograd.grad(loss.total, leaf)[0] if wants_gradient else None
    return ChunkLoss(ce, kd, gradient)


def _cross_entropy(log_q: Tensor, labels: Tensor | None, weights: Tensor | None) -> Tensor:
    if labels is None:
        return log_q.new_zeros(())
    return -_sum(log_q.gather(-1, labels.unsqueeze(-1)).squeeze(-1), weights)


class _Pull(NamedTuple):
    """A divergence of each row (N), and its gradient in the student's logits: mass * Q - p, where p
    stands on all slots (N, V), or on the slots `ids` (N, k) only."""

    kl: Tensor
    mass: float | Tensor
    p: Tensor | None = None
    ids: Tensor | None = None

    def subtract_from(self, gradient: Tensor, weight: float) -> None:
        if self.p is None:  # nothing pulls
            return
        if self.ids is None:
            gradient.sub_(self.p, alpha=weight)
        else:
            gradient.scatter_add_(-1, self.ids, self.p * -weight)


def _pull(
    teacher: Tensor | SparseTargets | None, log_q: Tensor, finite: bool, spare: Tensor
) -> _Pull:
    if teacher is None:
        return _Pull(log_q.new_zeros(len(log_q)), 0.0)
    if isinstance(teacher, SparseTargets):
        return _sparse_pull(teacher, log_q)
    return _dense_pull(teacher, log_q, finite, spare)


def _dense_pull(teacher: Tensor, log_q: Tensor, finite: bool, spare: Tensor) -> _Pull:
    """KL(P||Q) from the teacher's logits; they and `spare` are used up."""
    log_p = torch.log_softmax(teacher, -1, out=spare)
    p = torch.exp(log_p, out=teacher)
    if finite:
        return _Pull(torch.linalg.vecdot(p, log_p.sub_(log_q)), 1.0, p)
    excluded = log_p == -torch.inf
    ratio = log_p.sub_(log_q).masked_fill_(excluded, 0)
    impossible = ratio == torch.inf
    kl = torch.linalg.vecdot(p, ratio.masked_fill_(impossible, 0))
    kl.masked_fill_(impossible.any(-1), torch.inf)
    p.masked_fill_(impossible, 0)  # an infinite term passes no gradient
    return _Pull(kl, p.sum(-1, keepdim=True), p)


def _sparse_pull(targets: SparseTargets, log_q: Tensor) -> _Pull:
    """With a tail, every token in it is pulled by the ratio of the two tails."""
    targets = targets.to(log_q.dtype)
    kl, mass, p = targets.divergence(log_q), targets.weights.sum(-1, keepdim=True), targets.weights
    if targets.tail is not None:
        tail = targets.tail.unsqueeze(-1)
        ratio = tail / targets.others(log_q).exp().unsqueeze(-1)
        mass = mass + tail - ratio
        p = p - ratio * log_q.gather(-1, targets.ids).exp()
    return _Pull(kl, mass, p, targets.ids)


def _subtract_labels(gradient: Tensor, labels: Tensor, weight: float) -> None:
    gradient.scatter_add_(-1, labels.unsqueeze(-1), gradient.new_full((len(labels), 1), -weight))


def _weigh_rows(gradient: Tensor, weights: Tensor | None) -> Tensor:
    return gradient if weights is None else gradient.mul_(weights.unsqueeze(-1))


def _sum(values: Tensor, weights: Tensor | None) -> Tensor:
    return values.sum() if weights is None else (values * weights).sum()
