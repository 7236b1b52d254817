"""One training phase of a run, and how it can end early."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kdlib.errors import UserError
from kdlib.training.run_folder import CHECKPOINT


@dataclass(frozen=True)
class Phase:
    """One training phase of a run: its name, its run's folder and fingerprint, and its seed."""

    name: str
    folder: Path
    run: str
    seed: int

    @property
    def checkpoint(self) -> Path:
        """A run trains one model at a time, so it has one checkpoint."""
        return self.folder / CHECKPOINT


class Interrupted(KeyboardInterrupt):
    """A signal asked the loop to stop, and a checkpoint is on disk: Ctrl-C with nothing lost."""


class Diverged(UserError):
    """The loss is no longer a number."""
