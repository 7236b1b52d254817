"""The part of a recipe that says what the student minimises."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from kdlib.errors import UserError
from kdlib.losses.divergences import DIVERGENCES, parameter_names
from kdlib.losses.objectives import Objective

# What a divergence is given where the recipe leaves it out. ABKD tunes alpha and beta task by task.
DEFAULTS = {
    "generalized_jsd": {"beta": 0.5},
    "skew_kl": {"alpha": 0.1},
    "skew_reverse_kl": {"alpha": 0.1},
    "adaptive_kl": {"mu": 0.5},
}


@dataclass(frozen=True)
class ObjectiveSettings:
    """What the student minimises: labels (CE) and teacher (KD), weighed."""

    weighing: Literal["alpha", "lambda"] = "alpha"
    """alpha: (1 - weight) CE + weight KD.  lambda: CE + weight KD."""
    weight: float = 1.0
    """alpha in [0, 1], or lambda >= 0, as weighing says."""
    divergence: Literal[tuple(DIVERGENCES)] = "forward_kl"  # type: ignore[valid-type]
    """How far the student is from the teacher."""
    alpha: float | None = None
    """Of the divergence. skew_kl, skew_reverse_kl: in [0, 1]; 0.1, as in DistiLLM, if left out.
    alpha_beta: in [-100, 100]; it has no usual value."""
    beta: float | None = None
    """Of the divergence. generalized_jsd: the teacher's share of the mixture, in [0, 1]; 0.5, as in
    GKD, if left out. alpha_beta: in [-100, 100], alpha + beta at least 0; it has no usual value."""
    mu: float | None = None
    """Of the divergence. adaptive_kl: the teacher's mass that is its head, in [0, 1]; 0.5 if left
    out."""
    temperature: float = 1.0
    """Softmax temperature of both in the KD term, above 0; the term carries its square."""

    def __post_init__(self) -> None:
        if not 0 < self.temperature < math.inf:
            raise UserError(f"objective.temperature: {self.temperature} is not above 0 and finite")
        # Beyond, float32 holds no digit of the loss (see Objective), or not the loss at all.
        if not 1e-3 <= self.temperature <= 1e3:
            raise UserError(f"objective.temperature: {self.temperature} is not in [0.001, 1000]")
        if self.weighing == "alpha" and not 0 <= self.weight <= 1:
            raise UserError(f"objective.weight: {self.weight} as alpha is not in [0, 1]")
        if self.weighing == "lambda" and not 0 <= self.weight < math.inf:
            raise UserError(
                f"objective.weight: {self.weight} as lambda is not at least 0 and finite"
            )
        if self.weight > 1e6:  # beside which float32 loses the labels, and in the end the sum
            raise UserError(
                f"objective.weight: {self.weight} as lambda leaves the labels nothing; use 1000000"
                " or less, or --objective.weighing alpha --objective.weight 1"
            )
        self._check_parameters()

    def _check_parameters(self) -> None:
        """The divergence has all its parameters, in their ranges, and no others."""
        takes = parameter_names(self.divergence)
        for name in ("alpha", "beta", "mu"):
            given = getattr(self, name) is not None
            if given and name not in takes:
                raise UserError(
                    f"objective.{name}: {self.divergence} takes {' and '.join(takes) or 'none'};"
                    f" leave {name} out (the teacher's weight is objective.weight)"
                )
            if not given and name in takes and name not in DEFAULTS.get(self.divergence, {}):
                raise UserError(
                    f"objective.{name}: {self.divergence} needs {' and '.join(takes)}, each in"
                    " [-100, 100]; 1 and 0 give the forward KL, 0 and 1 the reverse"
                )
        try:
            self.objective()
        except ValueError as error:
            raise UserError(f"objective.{error}") from error

    def objective(self) -> Objective:
        """The objective with these settings."""
        build = Objective.from_alpha if self.weighing == "alpha" else Objective.from_lambda
        given = {name: getattr(self, name) for name in parameter_names(self.divergence)}
        return build(
            self.weight,
            divergence=self.divergence,
            divergence_parameters=DEFAULTS.get(self.divergence, {})
            | {name: value for name, value in given.items() if value is not None},
            temperature=self.temperature,
        )
