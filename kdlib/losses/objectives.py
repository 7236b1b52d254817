"""What the student minimises, and the form every loss has: a sum over tokens and their count.

`Objective` holds the weights of labels and teacher, the divergence and its temperature. `Loss` is
always a *sum* over the counted tokens together with their number, never a mean. Training adds up
the sums and the counts of all micro-batches and ranks and divides once, so no way of splitting,
padding or packing the same tokens changes the gradient.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

from torch import Tensor

from kdlib.losses.divergences import get_divergence


class Loss(NamedTuple):
    """A sum over tokens, the (weighted) number of tokens it runs over, and its unweighted parts.

    Losses of several batches add up, by ``+`` or by ``sum``: totals, counts and parts.

    Attributes:
        total: scalar, nats; the quantity to minimise.
        count: scalar, tokens.
        parts: detached scalars, nats: "cross_entropy" and "distillation" (with its factor T²,
            if the objective has one), each before its weight.
    """

    total: Tensor
    count: Tensor  # type: ignore[assignment]  # a tuple has a method of that name; no Loss needs it
    parts: dict[str, Tensor]

    @property
    def mean(self) -> Tensor:
        """Nats per token; 0 for an empty batch, with a gradient of 0."""
        return self.total / self.count.masked_fill(self.count == 0, 1)

    # It is a tuple so that DDP, FSDP and Accelerate find its tensors in a model's output. But a
    # tuple's + and * would join and repeat its fields without an error.

    def __add__(self, other: object) -> Loss:
        """The loss of both batches together.

        Args:
            other: a loss with parts of the same names.

        Raises:
            TypeError: for anything but a loss.
            ValueError: for a loss with other parts.
        """
        if not isinstance(other, Loss):
            raise TypeError(f"a Loss is added to a {type(other).__name__}; add another Loss")
        if self.parts.keys() != other.parts.keys():
            raise ValueError(
                f"a Loss with the parts {sorted(self.parts)} is added to one with"
                f" {sorted(other.parts)}; both must have the parts of one objective"
            )
        parts = {name: part + other.parts[name] for name, part in self.parts.items()}
        return Loss(self.total + other.total, self.count + other.count, parts)

    def __radd__(self, other: object) -> Loss:
        """``sum`` begins with the integer 0, to which a loss is added as it is."""
        return self if isinstance(other, int) and other == 0 else self + other

    def __mul__(self, factor: object) -> NoReturn:
        """Refused: the count would have to stay as it is.

        Raises:
            TypeError: always.
        """
        raise TypeError(
            "a Loss is a sum with its count, and only one of them grows; multiply its total"
        )

    def __rmul__(self, factor: object) -> NoReturn:
        """Refused, as `__mul__`."""
        self.__mul__(factor)


@dataclass(frozen=True)
class Objective:
    r"""What the student minimises, per token.

    .. math:: w_\text{label} \, \mathrm{CE}(\text{label}, Q) + w_\text{teacher} \, T^2 D(P_T, Q_T)

    :math:`P_T` and :math:`Q_T` are teacher and student at temperature T. At a high temperature the
    gradient of D in the logits falls like :math:`1/T^2`, and the factor makes up for that: the
    product tends to the difference of the centred logits, divided by V. On the way from T = 1 to this
    limit its length still changes: with a large vocabulary it falls many times over.

    In float32 it also magnifies the rounding of the value: with 32,000 words a value of 9 is off by
    1e-4 at T = 10, by 0.01 at T = 100 and by about 1 at T = 1000, its gradient by 1e-4 of itself at
    most. Use float64 for such temperatures. `total_variation` falls only like 1/T, so with
    :math:`T^2` it grows like T: set ``scale_by_t_squared=False`` for it.

    Two ways to weigh the terms are in use: `from_lambda` and `from_alpha` build them.

    Attributes:
        label_weight: of the cross-entropy, in [0, inf).
        teacher_weight: of the divergence, in [0, inf).
        divergence: a name in ``DIVERGENCES``.
        divergence_parameters: the parameters of the divergence, by name.
        temperature: T, in (0, inf).
        scale_by_t_squared: whether the divergence is multiplied by :math:`T^2`.

    Raises:
        ValueError: for a weight or a temperature out of range, for two weights of 0, and for a
            divergence or parameters that `get_divergence` refuses.

    Source: Hinton, Vinyals, Dean 2015, section 2.
    """

    label_weight: float = 0.0
    teacher_weight: float = 1.0
    divergence: str = "forward_kl"
    # Unhashable, as a dict; equal objectives still have equal hashes without it.
    divergence_parameters: dict[str, float] = field(default_factory=dict, hash=False)
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
        r"""The source's combined objective, with its sign reversed so that it is minimised.

        .. math:: \mathrm{CE} + \lambda \, \mathrm{KD}

        Args:
            lambda_: in [0, inf); 0 is training without a teacher.
            **settings: the other attributes.

        Raises:
            ValueError: for a lambda out of range.
        """
        if not 0 <= lambda_ < float("inf"):
            raise ValueError(f"lambda_ is {lambda_}; it must be finite and at least 0")
        return cls(label_weight=1.0, teacher_weight=lambda_, **settings)

    @classmethod
    def from_alpha(cls, alpha: float, **settings: Any) -> Objective:
        r"""A weighted mean of cross-entropy and distillation.

        .. math:: (1 - \alpha) \, \mathrm{CE} + \alpha \, \mathrm{KD}

        Args:
            alpha: in [0, 1]; 1 is pure distillation.
            **settings: the other attributes.

        Raises:
            ValueError: for an alpha out of range.
        """
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha is {alpha}; it must lie in [0, 1]")
        return cls(label_weight=1.0 - alpha, teacher_weight=alpha, **settings)


def alpha_of_lambda(lambda_: float) -> float:
    r"""The alpha with the same minimiser: :math:`\alpha = \lambda / (1 + \lambda)`.

    The loss becomes :math:`1 + \lambda` times smaller.

    Args:
        lambda_: in [0, inf].

    Returns:
        alpha, in [0, 1].

    Raises:
        ValueError: for a negative lambda or NaN.
    """
    if not lambda_ >= 0:
        raise ValueError(f"lambda_ is {lambda_}; it must be at least 0")
    return 1.0 if lambda_ == float("inf") else lambda_ / (1 + lambda_)


def lambda_of_alpha(alpha: float) -> float:
    r"""The lambda with the same minimiser: :math:`\lambda = \alpha / (1 - \alpha)`.

    Args:
        alpha: in [0, 1].

    Returns:
        lambda, in [0, inf]; infinite at alpha = 1, where the labels do not count.

    Raises:
        ValueError: for an alpha out of range.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is {alpha}; it must lie in [0, 1]")
    return float("inf") if alpha == 1 else alpha / (1 - alpha)
