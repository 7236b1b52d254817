"""The part of a recipe that says where the curves of a training can be watched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Log:
    """Where the curves of ``metrics.jsonl`` are drawn, too."""

    to: Literal["none", "tensorboard", "trackio", "wandb"] = "none"
    """none: nowhere. tensorboard: files in the run's folder, log/. trackio: this machine's trackio.
    wandb: sent to Weights & Biases, or as WANDB_MODE says. The package of that name must be there."""
