"""From logits to a loss: next-token alignment, masks, temperature and the weight of the teacher.

The loss of a batch is a *sum* over its counted tokens together with their number, never a mean.
Whoever trains adds up the sums and the counts of all micro-batches and processes and divides once.
So no way of splitting, padding or packing the same tokens changes the gradient.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from kdlib.losses.divergences import get_divergence

IGNORE_INDEX = -100


class Loss(NamedTuple):
    """A sum over tokens, the (weighted) number of tokens it runs over, and its unweighted parts.

    total: scalar, nats; the quantity to minimise.  count: scalar.
    parts: detached scalars in nats: "cross_entropy" and "distillation" (with its T² where it has
    one), each before its weight.
    """

    total: Tensor
    count: Tensor  # type: ignore[assignment]  # a tuple has a method of that name; no Loss needs it
    parts: dict[str, Tensor]

    @property
    def mean(self) -> Tensor:
        """Nats per token; 0 for an empty batch, with a gradient of 0."""
        return self.total / self.count.masked_fill(self.count == 0, 1)


@dataclass(frozen=True)
class Objective:
    """What the student minimises, per token:

        label_weight * CE(label, Q)  +  teacher_weight * T² * D(P_T, Q_T)

    P_T and Q_T are teacher and student at temperature T. The factor T² keeps the size of the
    distillation gradient as T grows (Hinton, Vinyals, Dean 2015, section 2).

    In float32 it also magnifies the rounding of the value: with 32,000 words a value of 9 is off by
    1e-4 at T = 10, by 0.01 at T = 100 and by about 1 at T = 1000, its gradient by 1e-4 of itself at
    most. Take float64 for such temperatures. total_variation falls like 1/T only, so that with T² it
    grows like T: set scale_by_t_squared=False for it.

    Two ways to weigh are in use; build either with `from_lambda` or `from_alpha`.
    """

    label_weight: float = 0.0
    teacher_weight: float = 1.0
    divergence: str = "forward_kl"
    divergence_parameters: dict[str, float] = field(default_factory=dict)
    temperature: float = 1.0
    scale_by_t_squared: bool = True

    def __post_init__(self) -> None:
        for name in ("label_weight", "teacher_weight"):
            value = getattr(self, name)
            if not 0 <= value < float("inf"):
                raise ValueError(f"{name} is {value}; it must be finite and at least 0")
        if self.label_weight == self.teacher_weight == 0:
            raise ValueError("label_weight and teacher_weight are both 0: nothing would be learned")
        if not 0 < self.temperature < float("inf"):
            raise ValueError(f"temperature is {self.temperature}; it must be finite and above 0")
        get_divergence(self.divergence, **self.divergence_parameters)

    @classmethod
    def from_lambda(cls, lambda_: float, **settings: Any) -> Objective:
        """CE + lambda * KD: the source's combined objective, turned round so that it is minimised.

        lambda in [0, inf).  lambda = 0 is training without a teacher.
        """
        if not 0 <= lambda_ < float("inf"):
            raise ValueError(f"lambda_ is {lambda_}; it must be finite and at least 0")
        return cls(label_weight=1.0, teacher_weight=lambda_, **settings)

    @classmethod
    def from_alpha(cls, alpha: float, **settings: Any) -> Objective:
        """(1 - alpha) * CE + alpha * KD, alpha in [0, 1].  alpha = 1 is pure distillation."""
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha is {alpha}; it must lie in [0, 1]")
        return cls(label_weight=1.0 - alpha, teacher_weight=alpha, **settings)


def alpha_of_lambda(lambda_: float) -> float:
    """alpha = lambda / (1 + lambda): the same minimiser; the loss is (1 + lambda) times smaller."""
    if not lambda_ >= 0:
        raise ValueError(f"lambda_ is {lambda_}; it must be at least 0")
    return 1.0 if lambda_ == float("inf") else lambda_ / (1 + lambda_)


def lambda_of_alpha(alpha: float) -> float:
    """lambda = alpha / (1 - alpha); infinite at alpha = 1, where the labels have no say."""
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is {alpha}; it must lie in [0, 1]")
    return float("inf") if alpha == 1 else alpha / (1 - alpha)


def next_token(
    logits: Tensor, ids: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Pair each position's logits with the token that comes next: the only shift in the project.

    logits (..., S, V), ids (..., S), mask (..., S) with 1 for a real token, taken from the
    attention mask (never from `ids == pad`: the pad id may also be the end-of-text id). It is not the
    way to leave out a prompt: a 0 drops a token both as read and as predicted, and with the prompt's
    last token the answer's first one would go. Give the prompt's labels `ignore_index` instead.
    Returns logits (..., S-1, V), labels (..., S-1) and mask (..., S-1), which counts a position
    only where both the token read and the token predicted are real, so padding may stand on
    either side.
    """
    if mask is None:
        mask = torch.ones_like(ids)
    return logits[..., :-1, :], ids[..., 1:], predicting(mask)


def predicting(mask: Tensor) -> Tensor:
    """Which positions predict a real token from a real token: (..., S) -> (..., S-1), boolean."""
    mask = mask.bool()
    return mask[..., :-1] & mask[..., 1:]


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

    student_logits, teacher_logits (..., V); labels, mask, token_weights (...).
    teacher_logits may be left out where `teacher_weight` is 0, labels where `label_weight` is 0.
    A position does not count where mask or token weight is 0 or its label is `ignore_index`; its
    logits may hold anything, even NaN, and receive a gradient of exactly 0. The teacher receives
    none at all. A vocabulary slot that does not exist has logit -inf. Softmaxes are taken in
    float32 or better.

    Raises ValueError for shapes that do not fit and for a missing teacher or missing labels.
    """
    positions = student_logits.shape[:-1]
    check_inputs(positions, teacher_logits is not None, labels, mask, token_weights, objective)
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
    """T² * D(P_T, Q_T) per position: (..., V), (..., V) -> (...), nats."""
    temperature = objective.temperature
    log_p, log_q = (log_softmax(x, temperature) for x in (teacher_logits, student_logits))
    return _scaled_divergence(log_p, log_q, objective)


def _scaled_divergence(log_p: Tensor, log_q: Tensor, objective: Objective) -> Tensor:
    """The divergence of distributions that have their temperature already, with T² where asked."""
    divergence = get_divergence(objective.divergence, **objective.divergence_parameters)
    scale = objective.temperature**2 if objective.scale_by_t_squared else 1.0
    return scale * divergence(log_p, log_q)


def log_softmax(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """log softmax(logits / T) over the last dimension, in float32 or better.

    Half precision is widened first: in bfloat16 the rounding of the log-probabilities alone can
    double a small KL.
    """
    logits = logits.to(_accumulation_dtype(logits))
    return F.log_softmax(logits if temperature == 1 else logits / temperature, dim=-1)


# --- Closed forms -------------------------------------------------------------------------------


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


# --- Checks and masks ---------------------------------------------------------------------------


def _accumulation_dtype(logits: Tensor) -> torch.dtype:
    return torch.promote_types(logits.dtype, torch.float32)


def counted_positions(
    labels: Tensor | None,
    mask: Tensor | None,
    token_weights: Tensor | None,
    ignore_index: int | None,
) -> Tensor | None:
    """Which positions count: a boolean tensor (...), or None where nothing can be left out."""
    conditions = []
    if mask is not None:
        conditions.append(mask.bool())
    if labels is not None and ignore_index is not None:
        conditions.append(labels != ignore_index)
    if token_weights is not None:
        conditions.append(token_weights != 0)  # 0 times an infinite loss would be NaN
    return functools.reduce(torch.logical_and, conditions) if conditions else None


def _weights(logits: Tensor, counted: Tensor | None, token_weights: Tensor | None) -> Tensor:
    """The weight of each position (...): its token weight or 1 where it counts, else 0."""
    dtype = _accumulation_dtype(logits)
    weights = torch.ones(logits.shape[:-1], dtype=dtype, device=logits.device)
    if token_weights is not None:
        weights = token_weights.to(dtype)
    return weights if counted is None else torch.where(counted, weights, 0.0)


def _blank(logits: Tensor, counted: Tensor | None) -> Tensor:
    """Zeros where nothing counts: there even a NaN must reach neither the sum nor the gradient."""
    return logits if counted is None else torch.where(counted.unsqueeze(-1), logits, 0.0)


def check_inputs(
    positions: torch.Size,
    has_teacher: bool,
    labels: Tensor | None,
    mask: Tensor | None,
    token_weights: Tensor | None,
    objective: Objective,
) -> None:
    """Whether all is there that the objective needs, in the shape of the positions: ValueError."""
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
    if teacher is not None and teacher.shape != student.shape:
        raise ValueError(
            f"teacher_logits has shape {tuple(teacher.shape)}, student_logits"
            f" {tuple(student.shape)}; they must be equal (map the vocabularies first)"
        )
