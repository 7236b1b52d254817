"""The part of a recipe that says which texts the student writes itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from kdlib.errors import UserError
from kdlib.training.rollouts import Rollouts


@dataclass(frozen=True)
class OnPolicy:
    """Texts of the training that the student writes itself (on-policy distillation)."""

    share: float = 0.0
    """Share of the rows that the student writes, in [0, 1]; 0: it reads given text only."""
    temperature: float = 1.0
    """At which it writes, above 0; objective.temperature is that of the comparison."""
    prompt_tokens: int = 16
    """Tokens of a block that are given to it as a beginning."""
    new_tokens: int | None = None
    """Tokens that it writes; to the end of the block if left out."""
    refresh: int = 1
    """Texts are written for so many steps at once: 1 is on-policy to the letter; more is faster, and
    the later steps of each round learn from what slightly older weights wrote."""

    estimator: Literal["exact", "single_sample"] = "exact"
    """How far it is from the teacher at a token that it wrote. exact: from whole distributions.
    single_sample: from the probabilities of that token alone, as a reward (reverse KL, noisier)."""

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise UserError(f"on_policy.share: {self.share} is not in [0, 1]")
        if not 0 < self.temperature < math.inf:
            raise UserError(f"on_policy.temperature: {self.temperature} is not above 0 and finite")
        if self.estimator == "single_sample" and self.temperature != 1:
            raise UserError(
                f"on_policy.temperature: {self.temperature} with estimator single_sample, which is"
                " right only for tokens drawn at temperature 1"
            )
        for name in ("prompt_tokens", "new_tokens", "refresh"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"on_policy.{name}: {value} is too small; use 1 or more")

    def rollouts(self, block: int) -> Rollouts | None:
        """What the settings mean for blocks of a length; None if the student writes nothing.

        Args:
            block: tokens that are predicted per block.

        Raises:
            UserError: if beginning and new tokens do not fit into a block.
        """
        if not self.share:
            return None
        room = block + 1 - self.prompt_tokens  # the first token of a block is not predicted
        new = room if self.new_tokens is None else self.new_tokens
        if room < 1 or new > room:
            raise UserError(
                f"on_policy: {self.prompt_tokens} tokens of a beginning and {max(new, 1)} new ones"
                f" do not fit into blocks of {block + 1}; use fewer"
            )
        return Rollouts(
            self.share, self.prompt_tokens, new, self.temperature, self.refresh,
            self.estimator == "single_sample",
        )  # fmt: skip
