"""From logits to a loss: next-token alignment, masks, temperature and the weight of the teacher.

The loss of a batch is a *sum* over its counted tokens together with their number, never a mean.
Whoever trains adds up the sums and the counts of all micro-batches and processes and divides once.
So no way of splitting, padding or packing the same tokens changes the gradient.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from torch import Tensor

from kdlib.losses.divergences import get_divergence


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


# --- Closed forms -------------------------------------------------------------------------------


# --- Checks and masks ---------------------------------------------------------------------------
