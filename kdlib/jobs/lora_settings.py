"""The part of a recipe that says which low-rank adapters a student learns (LoRA)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import nn

from kdlib.errors import UserError
from kdlib.models.lora import ALL, add_adapters, plan_adapters


@dataclass(frozen=True)
class Lora:
    """Low-rank adapters (LoRA): only they are trained, and are merged into the student in the end."""

    rank: int = 0
    """Rank of each adapter, at least 1; 0: no adapters, every weight is trained."""
    alpha: float = 16.0
    """Above 0: what the adapters say counts alpha / rank times."""
    targets: str = ALL
    """The ends of the adapted layers' names, such as q_proj,v_proj; all-linear: every matrix but the
    embedding and the head."""

    def __post_init__(self) -> None:
        if self.rank < 0:
            raise UserError(f"student.lora.rank: {self.rank} is below 0; 0 is for no adapters")
        if not 0 < self.alpha < math.inf:
            raise UserError(f"student.lora.alpha: {self.alpha} is not above 0 and finite")
        if not self.rank and (self.alpha, self.targets) != (Lora.alpha, Lora.targets):
            raise UserError(
                "student.lora.rank: 0 has no adapters, which alpha and targets speak of; give"
                " --student.lora.rank 8, or leave them out"
            )

    def check_student(self, source: str, teacher: str, sharding: str) -> None:
        """Refuse adapters in a student that has nothing to adapt.

        Args:
            source: of the student.
            teacher: source of the teacher.
            sharding: of the weights.

        Raises:
            UserError: for a new student, for one pruned from a teacher that is yet to be trained, and
                for sharded weights.
        """
        if not self.rank:
            return
        if source == "new":
            raise UserError(
                "student.lora.rank: a new student knows nothing yet that adapters could build on;"
                " use --student pruned or a model folder, or rank 0"
            )
        if teacher == "train":
            raise UserError(
                "student.lora.rank: a student of a teacher that is yet to be trained has no layers"
                " that could be looked up; train the teacher first (--until teacher), or use rank 0"
            )
        if sharding != "none":
            raise UserError(
                "student.lora.rank: adapters are not sharded; use --sharding none, or rank 0"
            )

    def check_layers(self, model: nn.Module) -> None:
        """Refuse targets that a model does not have.

        Args:
            model: of the student's architecture.

        Raises:
            UserError: as `plan_adapters`.
        """
        if self.rank:
            plan_adapters(model, self.rank, self.alpha, self.targets)

    def put_into(self, model: nn.Module, seed: int) -> nn.Module:
        """Put the adapters into a student, in place, if there are any.

        Args:
            model: the student before its first step.
            seed: of the adapters' initial weights.

        Returns:
            The same model.
        """
        if not self.rank:
            return model
        return add_adapters(model, plan_adapters(model, self.rank, self.alpha, self.targets), seed)
