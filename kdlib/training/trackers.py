"""The curves of a training in TensorBoard, trackio or Weights & Biases, beside ``metrics.jsonl``.

A tracker is told the lines of the log, no more and no less. Each training is a run of its own there,
named after its phase, so student and controls lie in one picture, over their steps.
"""

from __future__ import annotations

import contextlib
import importlib.util
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from accelerate.tracking import (
    GeneralTracker,
    TensorBoardTracker,
    TrackioTracker,
    WandBTracker,
)

from kdlib.errors import UserError, first_line
from kdlib.files import write_atomically
from kdlib.machine.distributed import is_main
from kdlib.training.phase import Phase

FOLDER = "log"
NAME = "name"  # the file in it by which a run that goes on finds itself again
PROJECT = "kdlib"


def refuse_missing_tracker(name: str) -> None:
    """Refuse a tracker whose package is not installed.

    Args:
        name: of the tracker, which is its package's, or "none".

    Raises:
        UserError: with the command that installs it.
    """
    if name != "none" and importlib.util.find_spec(name) is None:
        raise UserError(f"log.to: {name} is not installed; pip install {name}")


@contextlib.contextmanager
def tracked(phase: Phase, done: int) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Open the phase's tracker, if it has one. Only the main rank's knows of anything.

    Args:
        phase: the training.
        done: steps that its checkpoint holds; what was logged after them is logged again.

    Yields:
        A function that takes a line of the log.

    Raises:
        UserError: for a tracker that does not start.
    """
    if phase.log_to == "none" or not is_main():
        yield lambda row: None
        return
    tracker = _start(phase, done)
    try:
        yield lambda row: _log(tracker, row)
    finally:
        tracker.finish()


def _start(phase: Phase, done: int) -> GeneralTracker:
    try:
        tracker: GeneralTracker = MAKERS[phase.log_to](phase, done)
        tracker.start()
    except Exception as error:  # nobody is logged in, a server is away, a disk is full
        raise UserError(f"log.to: {phase.log_to} does not start: {first_line(error)}") from error
    return tracker


def _log(tracker: GeneralTracker, row: dict[str, Any]) -> None:
    """One line: its quantities over its step."""
    values = {name: value for name, value in row.items() if name != "step"}
    tracker.log(values, step=row["step"])


def _tensorboard(phase: Phase, done: int) -> GeneralTracker:
    """Files in the run's folder."""
    # Of a start that was killed, points after the checkpoint are in an older file; there may be some
    # without any checkpoint, too. Readers drop them when told to.
    return TensorBoardTracker(phase.name, logging_dir=phase.folder / FOLDER, purge_step=done + 1)


def _trackio(phase: Phase, done: int) -> GeneralTracker:
    """A database in trackio's own folder."""
    name = _name(phase.folder)
    return TrackioTracker(
        PROJECT, name=f"{name} {phase.name}", group=name, resume="allow", embed=False
    )


def _wandb(phase: Phase, done: int) -> GeneralTracker:
    """A server, or files in the run's folder, as its own settings say."""
    # What is logged again after a checkpoint is the same to the bit; the server keeps what it has.
    name = _name(phase.folder)
    return WandBTracker(
        PROJECT,
        name=phase.name,
        id=f"{name}-{phase.name}".replace("/", "-"),
        group=name,
        resume="allow",
        dir=phase.folder / FOLDER,
    )


MAKERS: dict[str, Callable[[Phase, int], GeneralTracker]] = {
    "tensorboard": _tensorboard,
    "trackio": _trackio,
    "wandb": _wandb,
}


def _name(folder: Path) -> str:
    """What a run is called where it meets others: the same whenever it goes on, and no other's."""
    path = folder / FOLDER / NAME
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        write_atomically(path, f"{folder.resolve().name}-{uuid.uuid4().hex[:8]}\n")
    return path.read_text().strip()
