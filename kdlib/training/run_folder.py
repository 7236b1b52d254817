"""A run's folder on disk. One process at a time may use it, and no file is ever half written.

::

    recipe.toml                  the settings of the run
    state.json                   seconds, operations and tokens of the finished phases, checksums
    metrics.jsonl                the log of every training phase
    log/                         the same for a tracker, if the recipe names one
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
import os
from pathlib import Path
from typing import Any

from kdlib.errors import UserError
from kdlib.files import atomic_folder, locked, write_atomically
from kdlib.training.run_state import STATE, read_state, write_state

RECIPE = "recipe.toml"
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
