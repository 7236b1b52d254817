"""Closed forms to check the losses against: minimiser, gradient and high-temperature limit."""

from __future__ import annotations

from torch import Tensor

from kdlib.losses.objectives import Objective
from kdlib.losses.softmax import log_softmax


def best_student(label: Tensor, p: Tensor, lambda_: float) -> Tensor:
    r"""The student that minimises cross-entropy plus lambda times the forward KL.

    .. math::
        \arg\min_Q \; \mathrm{CE}(\text{label}, Q) + \lambda \, \mathrm{KL}(P \,\Vert\, Q)
        = \frac{\text{label} + \lambda P}{1 + \lambda}

    Both terms are cross-entropies in Q up to a constant, so their sum is :math:`1 + \lambda` times
    the cross-entropy against the mixture, which is least where Q equals it (Gibbs' inequality).

    Args:
        label: (..., V) probabilities of the label, one-hot or noisy.
        p: (..., V) probabilities of the teacher.
        lambda_: the weight of the KL.

    Returns:
        (..., V) probabilities.
    """
    return (label + lambda_ * p) / (1 + lambda_)


def combined_logit_gradient(
    label: Tensor, teacher_logits: Tensor, student_logits: Tensor, objective: Objective
) -> Tensor:
    r"""Gradient of one position's loss in the student's logits, for the forward KL.

    .. math:: w_\text{label} \, (Q - \text{label}) + w_\text{teacher} \, T \, (Q_T - P_T)

    The T in front is :math:`T^2` (from the objective) over T (from the chain rule); without the
    objective's factor :math:`T^2` it is 1/T.

    Args:
        label: (..., V) probabilities.
        teacher_logits: (..., V).
        student_logits: (..., V).
        objective: its weights and its temperature.

    Returns:
        (..., V), nats per unit of logit.

    Raises:
        ValueError: for another divergence than the forward KL.
    """
    if objective.divergence != "forward_kl":
        raise ValueError(f"divergence is {objective.divergence!r}; the closed form is forward_kl's")
    temperature = objective.temperature
    scale = temperature if objective.scale_by_t_squared else 1 / temperature
    q = log_softmax(student_logits).exp()
    q_t = log_softmax(student_logits, temperature).exp()
    p_t = log_softmax(teacher_logits, temperature).exp()
    return objective.label_weight * (q - label) + objective.teacher_weight * scale * (q_t - p_t)


def logit_matching(teacher_logits: Tensor, student_logits: Tensor) -> Tensor:
    r"""The high-temperature limit of the distillation loss: matching logits.

    .. math::
        \lim_{T \to \infty} T^2 \, \mathrm{KL}(P_T \,\Vert\, Q_T)
        = \frac{1}{2V} \sum_v (d_v - \bar d)^2

    Here d is the teacher's logits minus the student's and :math:`\bar d` its mean: the limit is
    half the variance of d over the vocabulary.

    Args:
        teacher_logits: (..., V).
        student_logits: (..., V).

    Returns:
        (...), nats.

    Source: Hinton, Vinyals, Dean 2015, section 2.1 (there for logits of zero mean).
    """
    difference = teacher_logits - student_logits
    return difference.var(dim=-1, correction=0) / 2
