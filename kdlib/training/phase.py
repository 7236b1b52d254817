"""One training phase of a run, and how it can end early."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Phase:
    """One training phase of a run: its name, its run's folder, and the run's fingerprint."""

    name: str
    folder: Path
    run: str
    seed: int

    @property
    def owner(self) -> str:
        return f"{self.run}/{self.name}"


class Interrupted(KeyboardInterrupt):
    """A signal asked the loop to stop, and a checkpoint is on disk: Ctrl-C with nothing lost."""
