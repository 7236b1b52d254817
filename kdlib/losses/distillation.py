"""The dense distillation loss: an objective over a batch's logits, summed over counted tokens."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from kdlib.losses.divergences import get_divergence
from kdlib.losses.objectives import Loss, Objective
from kdlib.losses.softmax import accumulation_dtype, log_softmax

IGNORE_INDEX = -100


def distillation_loss(
    student_logits: Tensor,
    teacher_logits: Tensor | None = None,
    labels: Tensor | None = None,
    mask: Tensor | None = None,
    *,
    objective: Objective,
    token_weights: Tensor | None = None,
    ignore_index: int | None = IGNORE_INDEX,
) -> Loss:
    """The objective summed over aligned positions (see `next_token`).

    A position does not count if its mask or token weight is 0 or its label is ``ignore_index``; its
    logits may hold anything, even NaN, and receive a gradient of exactly 0. The teacher receives
    none at all. A vocabulary slot that does not exist has logit -inf. Softmaxes are taken in
    float32 or better.

    Args:
        student_logits: (..., V).
        teacher_logits: (..., V); optional if ``teacher_weight`` is 0.
        labels: (...) token ids; optional if ``label_weight`` is 0.
        mask: (...), 0 for a position that does not count.
        objective: divergence, temperature and the weights of the two terms.
        token_weights: (...) weights of the positions; None for 1 everywhere.
        ignore_index: the label of a position that does not count; None if there is none.

    Returns:
        The sum over the counted positions, in nats, and their (weighted) number.

    Raises:
        ValueError: for shapes that do not fit and for a missing teacher or missing labels.
    """
    positions = student_logits.shape[:-1]
    check_inputs(
        positions, teacher_logits is not None, labels, mask, token_weights, objective=objective
    )
    _check_vocabularies(student_logits, teacher_logits)
    counted = counted_positions(labels, mask, token_weights, ignore_index)
    weights = _weights(student_logits, counted, token_weights)
    student = _blank(student_logits, counted)
    log_q = log_softmax(student)
    parts = {}
    if labels is not None:
        safe = labels if counted is None else labels.masked_fill(~counted, 0)
        parts["cross_entropy"] = -(weights * log_q.gather(-1, safe.unsqueeze(-1)).squeeze(-1)).sum()
    if teacher_logits is not None:
        temperature = objective.temperature
        log_p = log_softmax(_blank(teacher_logits.detach(), counted), temperature)
        softened = log_q if temperature == 1 else log_softmax(student, temperature)
        parts["distillation"] = (weights * _scaled_divergence(log_p, softened, objective)).sum()

    weighted = [
        weight * parts[name]
        for name, weight in (
            ("cross_entropy", objective.label_weight),
            ("distillation", objective.teacher_weight),
        )
        if weight > 0
    ]
    return Loss(
        functools.reduce(torch.add, weighted),
        weights.sum(),
        {name: part.detach() for name, part in parts.items()},
    )


def teacher_divergence(
    teacher_logits: Tensor, student_logits: Tensor, objective: Objective
) -> Tensor:
    r"""The distillation term of each position, before its weight: :math:`T^2 D(P_T, Q_T)`.

    Args:
        teacher_logits: (..., V).
        student_logits: (..., V).
        objective: divergence and temperature; without the factor :math:`T^2` if it says so.

    Returns:
        (...), nats.
    """
    temperature = objective.temperature
    log_p, log_q = (log_softmax(x, temperature) for x in (teacher_logits, student_logits))
    return _scaled_divergence(log_p, log_q, objective)


def _scaled_divergence(log_p: Tensor, log_q: Tensor, objective: Objective) -> Tensor:
    """The divergence of distributions already at their temperature, times T² if so set."""
    divergence = get_divergence(objective.divergence, **objective.divergence_parameters)
    scale = objective.temperature**2 if objective.scale_by_t_squared else 1.0
    return scale * divergence(log_p, log_q)


def counted_positions(
    labels: Tensor | None,
    mask: Tensor | None,
    token_weights: Tensor | None,
    ignore_index: int | None,
) -> Tensor | None:
    """Which positions count.

    Args:
        labels: (...) token ids, or None.
        mask: (...), 0 for a position that does not count, or None.
        token_weights: (...), 0 for a position that does not count, or None.
        ignore_index: the label of a position that does not count, or None.

    Returns:
        (...), boolean; None if nothing can be left out.
    """
    conditions = []
    if mask is not None:
        conditions.append(mask.bool())
    if labels is not None and ignore_index is not None:
        conditions.append(labels != ignore_index)
    if token_weights is not None:
        conditions.append(token_weights != 0)  # 0 times an infinite loss would be NaN
    return functools.reduce(torch.logical_and, conditions) if conditions else None


def _weights(logits: Tensor, counted: Tensor | None, token_weights: Tensor | None) -> Tensor:
    """The weight of each position (...): its token weight (or 1) if it counts, else 0."""
    dtype = accumulation_dtype(logits)
    weights = torch.ones(logits.shape[:-1], dtype=dtype, device=logits.device)
    if token_weights is not None:
        weights = token_weights.to(dtype)
    return weights if counted is None else torch.where(counted, weights, 0.0)


def _blank(logits: Tensor, counted: Tensor | None) -> Tensor:
    """Logits (..., V), with zeros at positions that do not count.

    Even a NaN there must reach neither the sum nor the gradient.
    """
    return logits if counted is None else torch.where(counted.unsqueeze(-1), logits, 0.0)


def check_inputs(
    positions: torch.Size,
    has_teacher: bool,
    labels: Tensor | None,
    mask: Tensor | None,
    token_weights: Tensor | None,
    *,
    objective: Objective,
) -> None:
    """Check that everything the objective needs is there, in the shape of the positions.

    Args:
        positions: the shape that the other tensors must have.
        has_teacher: whether there is anything from a teacher.
        labels: (...) or None.
        mask: (...) or None.
        token_weights: (...) or None.
        objective: its weights say what is needed.

    Raises:
        ValueError: for a shape that does not fit and for a missing teacher or missing labels.
    """
    if not has_teacher and objective.teacher_weight > 0:
        raise ValueError("there is no teacher, but teacher_weight is above 0: pass its logits")
    if labels is None and objective.label_weight > 0:
        raise ValueError("labels is None, but label_weight is above 0: pass the labels")
    for name, value in (("labels", labels), ("mask", mask), ("token_weights", token_weights)):
        if value is not None and value.shape != positions:
            raise ValueError(
                f"{name} has shape {tuple(value.shape)}; it must be {tuple(positions)}, one for each"
                " position (see next_token)"
            )


def _check_vocabularies(student: Tensor, teacher: Tensor | None) -> None:
    """Both must be logits of one shape, over one vocabulary."""
    if teacher is not None and teacher.shape != student.shape:
        raise ValueError(
            f"teacher_logits has shape {tuple(teacher.shape)}, student_logits"
            f" {tuple(student.shape)}; they must be equal (map the vocabularies first)"
        )
