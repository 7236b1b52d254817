"""A run's folder on disk. One process at a time may use it, and no file is ever half written.

::

    recipe.toml                  the settings of the run
    state.json                   seconds, operations and tokens of the finished phases, checksums
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
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kdlib.errors import UserError
from kdlib.files import atomic_folder, locked, read_json, write_atomically

RECIPE, STATE, METRICS = "recipe.toml", "state.json", "metrics.jsonl"
CHECKPOINT = "checkpoint.safetensors"


def is_run(folder: Path) -> bool:
    """Whether the folder is that of a run, finished or not."""
    return (folder / RECIPE).is_file() and (folder / STATE).is_file()


def check_free(folder: Path, *, overwrite: bool) -> None:
    """Check that a new run may have this folder, so far as can be seen without writing.

    Args:
        folder: must not exist or be empty, unless `overwrite` is set.
        overwrite: whether a run that is in it may be deleted.

    Raises:
        UserError: for a file, for a folder that holds anything but a run to overwrite, and for a
            place where nothing may be written.
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
    place = next(above for above in folder.resolve().parents if above.exists())
    if not os.access(place, os.W_OK):
        raise UserError(f"out: {folder} cannot be written: you may not write in {place}")


def prepare_run(
    folder: Path,
    name: str,
    recipe: str,
    *,
    overwrite: bool,
    checksums: dict[str, dict[str, str]] | None = None,
) -> None:
    """Create the folder of a new run.

    Args:
        folder: must not exist or be empty, unless `overwrite` is set.
        name: what the report calls the run.
        recipe: the recipe as TOML.
        overwrite: delete the run that is in the folder, if no other process is using it.
        checksums: of what the run reads from elsewhere: the splits of its "text", its "models".

    Raises:
        UserError: as `check_free`, for a run in use, and for a folder that cannot be written.
    """
    check_free(folder, overwrite=overwrite)
    # With the first write: a run that is killed at once must not come to life without its text.
    state: dict[str, Any] = {"name": name, **(checksums or {"text": {}})}
    state |= {"seconds": {}, "operations": {}, "training": {}}
    state["recipe"] = _checksum(recipe)
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
        each training phase; "text" and "models", checksums of what it reads from elsewhere; and "targets", if there is a cache
        of them.

    Raises:
        UserError: if the file is missing or damaged.
    """
    path = folder / STATE
    try:
        return _checked_state(read_json(path))
    except (OSError, ValueError) as error:
        raise UserError(
            f"resume: {path} is damaged ({error}); put a copy back, or start anew with --overwrite."
            " The models beside it are whole: `kdlib generate` and `kdlib compare` do without it"
        ) from error


NUMBER = (int, float)
# What a state must hold: a text, or records by name of these kinds.
RECORDS: dict[str, type | tuple[type, ...]] = {
    "text": str,
    "models": str,
    "seconds": NUMBER,
    "operations": int,
    "training": dict,
    "best_of": str,
}


def _checked_state(state: Any) -> dict[str, Any]:
    """The state, if it has the form of one. ValueError otherwise."""
    if not isinstance(state, dict) or not isinstance(state.get("name"), str):
        raise ValueError("it does not name its run")
    for part, kind in RECORDS.items():
        records = state.get(part, {} if part in ("text", "models", "best_of") else None)
        if not isinstance(records, dict) or not _are(records.values(), kind):
            raise ValueError(f"its {part} is not what it should be")
    counts = [count for training in state["training"].values() for count in training.values()]
    targets = state.get("targets", {"bytes_per_token": 0, "readings_saved": 0})
    if not _are(counts, int) or not isinstance(targets, dict):
        raise ValueError("its counts are not whole numbers")
    if targets.keys() != {"bytes_per_token", "readings_saved"} or not _are(
        targets.values(), NUMBER
    ):
        raise ValueError("its targets are not what they should be")
    return state


def _are(values: Iterable[Any], kind: type | tuple[type, ...]) -> bool:
    """Whether all values are of this kind; a truth value is no number."""
    return all(isinstance(each, kind) and not isinstance(each, bool) for each in values)


def read_recipe(folder: Path) -> str:
    """Read the recipe that the run was started with, as TOML.

    Raises:
        UserError: if the file is missing, or is not as the run has written it: of a recipe that has
            been cut short, the rest would silently be the defaults.
    """
    path = folder / RECIPE
    try:
        recipe = path.read_text("utf-8") if path.is_file() else ""
    except (OSError, UnicodeDecodeError):
        recipe = ""
    try:
        recorded = read_state(folder).get("recipe")
    except UserError:  # whoever needs the state will say so
        recorded = None
    # A run of an older version has no record of its recipe; an empty one is none in any case.
    if not recipe.strip() or recorded not in (None, _checksum(recipe)):
        raise UserError(
            f"{path} is damaged: it is not the recipe that the run was started with; put it back, or"
            " start anew with --overwrite"
        )
    return recipe


def _checksum(recipe: str) -> str:
    """Of the recipe's text."""
    return hashlib.sha256(recipe.encode()).hexdigest()


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
    return row if "step" in row and _are(numbers, NUMBER) else None
