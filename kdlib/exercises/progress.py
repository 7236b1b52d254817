"""What the reader has solved: one small JSON file in the user's data folder, and nowhere else.

KDLIB_PROGRESS_DIR names another folder; "off" keeps no progress at all. The book's website keeps
the same in the browser, and saves and loads files of this form: `save` and `load` are its
counterparts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock

from kdlib.errors import UserError
from kdlib.files import disk_errors_named, expand_home, read_json, write_atomically

FOLDER = "KDLIB_PROGRESS_DIR"
VERSION = 1
SOLVED, SELF_MARKED, TRIED, OPEN = "solved", "self-marked", "tried", "open"
STATES = (SOLVED, SELF_MARKED, TRIED)  # that an entry may have; what is open has none
DONE = (SOLVED, SELF_MARKED)
SIGNS = {SOLVED: "✓", SELF_MARKED: "✎", TRIED: "✗", OPEN: "○"}
LOCK_SECONDS = 5.0


def folder() -> Path | None:
    """Where progress is kept; None where it is switched off."""
    named = os.environ.get(FOLDER)
    if named == "off":
        return None
    return (
        expand_home(named) if named else Path(platformdirs.user_data_dir("kdlib", appauthor=False))
    )


def record(exercise: str, state: str, points: tuple[int, int] | None = None) -> str:
    """Note what a check made of an exercise, "" for nothing. What is done stays done.

    points: of a rubric, how many the answer makes, and of how many; the most are kept.
    Returns what the reader should be told, mostly nothing.
    """
    place = folder()
    if place is None or not state:
        return ""

    def noted(entries: dict[str, dict[str, Any]]) -> None:
        entry = entries.setdefault(exercise, {"state": TRIED, "checks": 0})
        entry["checks"] += 1
        if state in DONE:
            entry["state"] = state
        if points is not None:
            entry["points"] = max(list(points), entry.get("points", [0, 0]))

    return _change(place, noted)


def save(path: Path) -> int:
    """Write the progress into a file that the website and `load` read. Returns how many entries.

    Raises:
        UserError: where the file cannot be written.
    """
    entries, _ = read()
    with disk_errors_named(path):
        write_atomically(path, _written(entries))
    return len(entries)


def load(path: Path) -> tuple[int, str]:
    """Add the entries of such a file to the reader's own. What is done in either of them is done.

    To load a file again changes nothing: of checks and points the most are kept, not the sum.

    Returns:
        How many entries the file has, and what the reader should be told, mostly nothing.

    Raises:
        UserError: for a file that is none of progress, or where none is kept.
    """
    place = folder()
    if place is None:
        raise UserError(f"load: no progress is kept, since {FOLDER} is off; unset it, then again")
    try:
        more = _entries(read_json(path))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"load: {path} is no file of progress ({reason}); give one that the book's website or"
            " kdlib exercises --save has written"
        ) from None

    def added(entries: dict[str, dict[str, Any]]) -> None:
        for exercise, entry in more.items():
            entries[exercise] = _both(entries.get(exercise, entry), entry)

    with disk_errors_named(place):
        return len(more), _change(place, added)


def _both(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Two entries of one exercise as one: what is done in either is done."""
    best = min(one, other, key=lambda entry: STATES.index(entry["state"]))
    both = {"state": best["state"], "checks": max(one["checks"], other["checks"])}
    points = max(one.get("points", []), other.get("points", []))
    return {**both, "points": points} if points else both


def _change(place: Path, change: Callable[[dict[str, dict[str, Any]]], None]) -> str:
    """Read, change and write the entries, while no other process does. -> what is to be said"""
    place.mkdir(parents=True, exist_ok=True)
    with FileLock(place / "progress.lock", timeout=LOCK_SECONDS):
        entries, said = _read(place / "progress.json")
        change(entries)
        write_atomically(place / "progress.json", _written(entries))
    return said


def _written(entries: dict[str, dict[str, Any]]) -> str:
    return json.dumps({"version": VERSION, "exercises": entries}, indent=1) + "\n"


def read() -> tuple[dict[str, dict[str, Any]], str]:
    """All entries by exercise, and what the reader should be told, mostly nothing."""
    place = folder()
    if place is None or not (place / "progress.json").exists():
        return {}, ""
    try:
        with FileLock(place / "progress.lock", timeout=LOCK_SECONDS):
            return _read(place / "progress.json")
    except OSError as error:  # a folder that may only be read, a lock that is never given back
        return {}, f"Your progress could not be read ({error})."


def _read(path: Path) -> tuple[dict[str, dict[str, Any]], str]:
    if not path.exists():
        return {}, ""
    try:
        return _entries(read_json(path)), ""
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        aside = _free_name(path)
        os.replace(path, aside)
        said = f"Your progress file could not be read ({error})."
        return {}, f"{said} It is kept as {aside}; a new one begins."


def _entries(content: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise ValueError(f"it is not of version {VERSION}")
    entries = content.get("exercises")
    if not isinstance(entries, dict) or not all(map(_is_entry, entries.values())):
        raise ValueError("its entries are not of the expected form")
    return entries


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and entry.get("state") in STATES
        and isinstance(entry.get("checks"), int)
        and not isinstance(entry["checks"], bool)
        and _are_points(entry.get("points", [0, 0]))
    )


def _are_points(points: Any) -> bool:
    return isinstance(points, list) and [type(number) for number in points] == [int, int]


def _free_name(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"progress.damaged-{number}.json")).exists():
        number += 1
    return aside
