"""The state of a run: what its finished phases have recorded, in ``state.json``.

It is read with care: people edit it, and disks cut it short.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kdlib.errors import UserError
from kdlib.files import read_json, write_atomically

STATE = "state.json"
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


def read_state(folder: Path) -> dict[str, Any]:
    """Read what the finished phases of the run have recorded.

    Returns:
        The run's "name"; "seconds" and "operations" by phase; "training", the steps and tokens of
        each training phase; "text" and "models", checksums of what it reads from elsewhere;
        "threads", the fewest that it was computed with; "loss_pass", once a student has begun; and
        "targets", if there is a cache of them.

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
        **training: for a training phase, its ``steps`` and ``training_tokens``; with adapters, its
            ``trainable_parameters`` and ``training_bytes``.

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


def _checked_state(state: Any) -> dict[str, Any]:
    """The state, if it has the form of one. ValueError otherwise."""
    if not isinstance(state, dict) or not isinstance(state.get("name"), str):
        raise ValueError("it does not name its run")
    for part, kind in RECORDS.items():
        records = state.get(part, {} if part in ("text", "models", "best_of") else None)
        if not isinstance(records, dict) or not are_all(records.values(), kind):
            raise ValueError(f"its {part} is not what it should be")
    counts = [count for training in state["training"].values() for count in training.values()]
    if state.get("loss_pass", "eager") not in ("compiled", "eager"):
        raise ValueError("its loss_pass is neither compiled nor eager")
    threads = state.get("threads", 1)
    if not are_all([threads], int) or threads < 1:
        raise ValueError("its threads are no number of threads")
    targets = state.get("targets", {"bytes_per_token": 0, "readings_saved": 0})
    if not are_all(counts, int) or not isinstance(targets, dict):
        raise ValueError("its counts are not whole numbers")
    if targets.keys() != {"bytes_per_token", "readings_saved"} or not are_all(
        targets.values(), NUMBER
    ):
        raise ValueError("its targets are not what they should be")
    return state


def are_all(values: Iterable[Any], kind: type | tuple[type, ...]) -> bool:
    """Whether all values are of this kind; a truth value is no number."""
    return all(isinstance(each, kind) and not isinstance(each, bool) for each in values)
