"""What the reader has solved: one small JSON file in the user's data folder, and nowhere else.

KDLIB_PROGRESS_DIR names another folder; "off" keeps no progress at all.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock

from kdlib.files import expand_home, read_json, write_atomically

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
    place.mkdir(parents=True, exist_ok=True)
    with FileLock(place / "progress.lock", timeout=LOCK_SECONDS):
        entries, said = _read(place / "progress.json")
        entry = entries.setdefault(exercise, {"state": TRIED, "checks": 0})
        entry["checks"] += 1
        if state in DONE:
            entry["state"] = state
        if points is not None:
            entry["points"] = max(list(points), entry.get("points", [0, 0]))
        content = {"version": VERSION, "exercises": entries}
        write_atomically(place / "progress.json", json.dumps(content, indent=1) + "\n")
    return said


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
