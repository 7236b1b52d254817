"""One training phase of a run, and how it can end early."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kdlib.errors import UserError
from kdlib.training.run_folder import CHECKPOINT


@dataclass(frozen=True)
class Phase:
    """One training phase of a run.

    Attributes:
        name: of the model that it trains, such as "teacher" or "student".
        folder: the run's folder.
        run: fingerprint of the run's recipe; a checkpoint of another run is refused.
        seed: the seed of data order and dropout.
        log_to: the tracker that draws its curves, or "none".
    """

    name: str
    folder: Path
    run: str
    seed: int
    log_to: str = "none"

    @property
    def checkpoint(self) -> Path:
        """The checkpoint file. A run trains one model at a time, so all phases share one file."""
        return self.folder / CHECKPOINT


class Interrupted(KeyboardInterrupt):
    """A signal stopped the loop, and a checkpoint is on disk: Ctrl-C with nothing lost."""


class Diverged(UserError):
    """The loss or its gradient is no longer finite."""
