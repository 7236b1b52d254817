"""A run's folder on disk: claimed by one process, written so that nothing is ever half there.

recipe.toml                  what was asked for
state.json                   which phases are done, and what they took
metrics.jsonl                the course of every training phase
checkpoint.safetensors       the training phase under way
targets/                     sparse targets of the teacher, where the recipe asks for them
teacher/ student/ control_equal_steps/ control_equal_time/    finished models
report.json  report.html     the result
"""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import Any

from kdlib.errors import UserError
from kdlib.files import atomic_folder, locked, write_atomically

RECIPE, STATE, METRICS = "recipe.toml", "state.json", "metrics.jsonl"
CHECKPOINT = "checkpoint.safetensors"


def is_run(folder: Path) -> bool:
    return (folder / RECIPE).is_file() and (folder / STATE).is_file()


def prepare_run(folder: Path, name: str, recipe: str, *, overwrite: bool) -> None:
    """Make the folder of a new run, or refuse it. Only a run that nobody is using is overwritten."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"out: {folder} is a file; give a folder")
    if folder.is_dir() and any(folder.iterdir()):
        if not overwrite:
            raise UserError(
                f"out: {folder} is not empty; add --resume, --overwrite or another --out"
            )
        if not is_run(folder):
            raise UserError(
                f"overwrite: {folder} holds something that is no run; nothing was deleted"
            )
        with locked(folder):
            shutil.rmtree(folder)
    try:
        with atomic_folder(folder) as draft:
            write_atomically(draft / RECIPE, recipe)
            write_state(draft, {"name": name, "seconds": {}, "training": {}})
    except OSError as error:
        raise UserError(f"out: {folder} cannot be written: {error.strerror}") from error


def require_run(folder: Path) -> None:
    """Refuse a folder that holds no run."""
    if not is_run(folder):
        raise UserError(f"{folder} is not the folder of a run; `kdlib distill` makes one")


def read_state(folder: Path) -> dict[str, Any]:
    """What the run's finished phases have recorded."""
    path = folder / STATE
    try:
        state: dict[str, Any] = json.loads(path.read_text())
        return state
    except (OSError, json.JSONDecodeError) as error:
        raise UserError(f"resume: {path} is damaged; start anew with --overwrite") from error


def write_state(folder: Path, state: dict[str, Any]) -> None:
    write_atomically(folder / STATE, json.dumps(state, indent=2) + "\n")


def record_seconds(folder: Path, phase: str, seconds: float, **training: int) -> dict[str, Any]:
    """Note what a finished phase took, and for a training phase what went into it."""
    state = read_state(folder)
    state["seconds"][phase] = seconds
    if training:
        state["training"][phase] = training
    write_state(folder, state)
    return state


def record_targets(folder: Path, bytes_per_token: float, readings_saved: int) -> None:
    """Note what the cache of the teacher's targets took and what it spared."""
    state = read_state(folder)
    state["targets"] = {"bytes_per_token": bytes_per_token, "readings_saved": readings_saved}
    write_state(folder, state)


class Metrics:
    """`metrics.jsonl`: one line per logged step of each training phase.

    Going on from a checkpoint first drops what was logged after it, so that no step stands twice.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / METRICS

    def rows(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        rows = []
        for line in self.path.read_text().splitlines():
            with contextlib.suppress(json.JSONDecodeError):  # a line cut short by a kill
                rows.append(json.loads(line))
        return rows

    def rewind(self, phase: str, step: int) -> None:
        kept = [r for r in self.rows() if r["phase"] != phase or r["step"] <= step]
        write_atomically(self.path, "".join(json.dumps(row) + "\n" for row in kept))

    def append(self, **row: Any) -> None:
        with open(self.path, "a") as file:
            file.write(json.dumps(row) + "\n")
