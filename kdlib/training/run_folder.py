"""A run's folder on disk. One process at a time may use it, and no file is ever half written.

::

    recipe.toml                  the settings of the run
    state.json                   seconds, operations and tokens of the finished phases
    metrics.jsonl                the log of every training phase
    checkpoint.safetensors       the training phase in progress
    pruning.json                 what a pruned student keeps of its teacher
    targets/                     sparse targets of the teacher, if the recipe uses them
    teacher/ student/ control_*/ finished models
    seed_N/                      the student and the controls of a further seed
    scores_*.safetensors         every model's loss on every token of a text
    report.json  report.html     the result
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from kdlib.errors import UserError
from kdlib.files import atomic_folder, locked, write_atomically

RECIPE, STATE, METRICS = "recipe.toml", "state.json", "metrics.jsonl"
CHECKPOINT = "checkpoint.safetensors"


def is_run(folder: Path) -> bool:
    """Whether the folder is that of a run, finished or not."""
    return (folder / RECIPE).is_file() and (folder / STATE).is_file()


def prepare_run(
    folder: Path, name: str, recipe: str, *, overwrite: bool, text: dict[str, str] | None = None
) -> None:
    """Create the folder of a new run.

    Args:
        folder: must not exist or be empty, unless `overwrite` is set.
        name: what the report calls the run.
        recipe: the recipe as TOML.
        overwrite: delete the run that is in the folder, if no other process is using it.
        text: the checksums of the text's splits.

    Raises:
        UserError: for a file, for a folder that holds anything but a run to overwrite, for a run
            in use, and for a folder that cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"out: {folder} is a file; give a folder")
    if Path.cwd().is_relative_to(folder.resolve()):
        raise UserError(f"out: {folder} is the folder that you are in; give one below it")
    if folder.is_dir() and any(folder.iterdir()):
        if not overwrite:
            raise UserError(
                f"out: {folder} is not empty; add --resume, --overwrite or another --out"
            )
        if not is_run(folder):
            raise UserError(
                f"overwrite: {folder} holds something that is no run; nothing was deleted"
            )
    # With the first write: a run that is killed at once must not come to life without its text.
    state = {"name": name, "text": text or {}, "seconds": {}, "operations": {}, "training": {}}
    # A folder that is not there is in nobody's use, and where nothing can be written no lock can be.
    in_use = locked(folder) if folder.exists() else contextlib.nullcontext()
    try:
        with in_use, atomic_folder(folder) as draft:
            write_atomically(draft / RECIPE, recipe)
            write_state(draft, state)
    except OSError as error:
        raise UserError(f"out: {folder} cannot be written: {error.strerror or error}") from error


def require_run(folder: Path) -> None:
    """Refuse a folder that holds no run.

    Raises:
        UserError: for such a folder.
    """
    if not is_run(folder):
        raise UserError(f"{folder} is not the folder of a run; `kdlib distill` makes one")


def read_state(folder: Path) -> dict[str, Any]:
    """Read what the finished phases of the run have recorded.

    Returns:
        The run's "name"; "seconds" and "operations" by phase; "training", the steps and tokens of
        each training phase; "text", the checksums of its splits; and "targets", if there is a cache
        of them.

    Raises:
        UserError: if the file is missing or damaged.
    """
    path = folder / STATE
    try:
        state: dict[str, Any] = json.loads(path.read_text())
        return state
    except (OSError, json.JSONDecodeError) as error:
        raise UserError(f"resume: {path} is damaged; start anew with --overwrite") from error


def write_state(folder: Path, state: dict[str, Any]) -> None:
    """Replace the run's state atomically."""
    write_atomically(folder / STATE, json.dumps(state, indent=2) + "\n")


def record_phase(
    folder: Path, phase: str, seconds: float, operations: int = 0, **training: int
) -> dict[str, Any]:
    """Record a finished phase in the run's state.

    Args:
        folder: the run's folder.
        phase: name of the phase.
        seconds: wall-clock seconds that it took.
        operations: multiplications and additions that it took, as counted.
        **training: for a training phase, its ``steps`` and ``training_tokens``.

    Returns:
        The new state.
    """
    state = read_state(folder)
    state["seconds"][phase] = seconds
    if operations:
        state["operations"][phase] = operations
    if training:
        state["training"][phase] = training
    write_state(folder, state)
    return state


def record_targets(folder: Path, bytes_per_token: float, readings_saved: int) -> None:
    """Record the size of the cached targets and the forward passes that they saved.

    Args:
        folder: the run's folder.
        bytes_per_token: bytes on disk per token.
        readings_saved: blocks that the teacher did not have to read again.
    """
    state = read_state(folder)
    state["targets"] = {"bytes_per_token": bytes_per_token, "readings_saved": readings_saved}
    write_state(folder, state)


class Metrics:
    """``metrics.jsonl``: one line per logged step of each training phase.

    Resuming from a checkpoint first drops the lines logged after it, so no step appears twice.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / METRICS

    def rows(self) -> list[dict[str, Any]]:
        """All complete lines, in the order in which they were logged."""
        if not self.path.exists():
            return []
        rows = []
        for line in self.path.read_text().splitlines():
            with contextlib.suppress(json.JSONDecodeError):  # a line cut short by a kill
                rows.append(json.loads(line))
        return rows

    def rewind(self, phase: str, step: int) -> None:
        """Drop the lines of this phase after `step`; those of other phases stay."""
        kept = [r for r in self.rows() if r["phase"] != phase or r["step"] <= step]
        write_atomically(self.path, "".join(json.dumps(row) + "\n" for row in kept))

    def append(self, **row: Any) -> None:
        """Add one line."""
        with open(self.path, "a") as file:
            file.write(json.dumps(row) + "\n")
