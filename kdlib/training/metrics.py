"""The log of a run, ``metrics.jsonl``: one line per logged step of each training phase."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kdlib.errors import UserError
from kdlib.files import write_atomically
from kdlib.training.run_state import NUMBER, are_all

METRICS = "metrics.jsonl"


class Metrics:
    """The log in a run's folder.

    Resuming from a checkpoint first drops the lines logged after it, so no step appears twice.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / METRICS

    def rows(self) -> list[dict[str, Any]]:
        """All complete lines, in the order in which they were logged. Others are left out."""
        if not self.path.exists():
            return []
        if not self.path.is_file():
            raise UserError(f"{self.path} is not a regular file; move it away")
        rows = [_row(line) for line in self.path.read_bytes().splitlines()]
        return [row for row in rows if row is not None]

    def rewind(self, phase: str, step: int) -> None:
        """Drop the lines of this phase after `step`; those of other phases stay."""
        kept = [r for r in self.rows() if r["phase"] != phase or r["step"] <= step]
        write_atomically(self.path, "".join(json.dumps(row) + "\n" for row in kept))

    def append(self, **row: Any) -> None:
        """Add one line."""
        with open(self.path, "a") as file:
            file.write(json.dumps(row) + "\n")


def _row(line: bytes) -> dict[str, Any] | None:
    """A line of the log; None for one that is cut short by a kill, or is no such line."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict) or not isinstance(row.get("phase"), str):
        return None
    numbers = [value for name, value in row.items() if name != "phase"]
    return row if "step" in row and are_all(numbers, NUMBER) else None
