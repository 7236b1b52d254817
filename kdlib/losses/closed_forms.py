"""What the losses come to where it can be written down: minimiser, gradient, limit."""

from __future__ import annotations

from torch import Tensor

from kdlib.losses.objectives import Objective
from kdlib.losses.softmax import log_softmax


def best_student(label: Tensor, p: Tensor, lambda_: float) -> Tensor:
    """The distribution that minimises CE(label, Q) + lambda KL(P‖Q): (label + lambda P)/(1 + lambda).

    label, p (..., V): probabilities (a label may be one-hot or noisy). Both terms are
    cross-entropies in Q up to a constant, so their sum is (1 + lambda) times the cross-entropy
    against the mixture, which is least where Q equals it (Gibbs' inequality).
    """
    return (label + lambda_ * p) / (1 + lambda_)


def combined_logit_gradient(
    label: Tensor, teacher_logits: Tensor, student_logits: Tensor, objective: Objective
) -> Tensor:
    """Gradient of one position's loss in the student's logits, for the forward KL:

        label_weight * (Q - label) + teacher_weight * T * (Q_T - P_T)

    The T in front is T² (from the objective) over T (from the chain rule); it is 1/T without the
    factor T². label (..., V) are probabilities, logits (..., V).
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
    """The limit T -> infinity of T² KL(P_T‖Q_T): half the variance, over the vocabulary, of the
    difference of the logits, sum over v of (d_v - mean d)² / (2 V) with d = teacher - student.

    (..., V), (..., V) -> (...). (Hinton, Vinyals, Dean 2015, section 2.1, there for logits of
    zero mean.)
    """
    difference = teacher_logits - student_logits
    return difference.var(dim=-1, correction=0) / 2
