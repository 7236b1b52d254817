"""What the reader has solved: one small JSON file, as `kept` keeps them.

The book's website keeps the same in the browser, and saves and loads files of this form: `save` and
`load` are its counterparts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kdlib.errors import UserError
from kdlib.exercises.kept import FOLDER as FOLDER
from kdlib.exercises.kept import VERSION as VERSION
from kdlib.exercises.kept import Kept
from kdlib.exercises.kept import folder as folder
from kdlib.files import disk_errors_named, read_json, write_atomically

SOLVED, SELF_MARKED, TRIED, OPEN = "solved", "self-marked", "tried", "open"
STATES = (SOLVED, SELF_MARKED, TRIED)  # that an entry may have; what is open has none
DONE = (SOLVED, SELF_MARKED)
SIGNS = {SOLVED: "✓", SELF_MARKED: "✎", TRIED: "✗", OPEN: "○"}


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

    return _KEPT.change(place, noted)


def save(path: Path) -> int:
    """Write the progress into a file that the website and `load` read. Returns how many entries.

    Raises:
        UserError: where the file cannot be written.
    """
    entries, _ = read()
    with disk_errors_named(path):
        write_atomically(path, _KEPT.written(entries))
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
        more = _KEPT.entries(read_json(path))
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
        return len(more), _KEPT.change(place, added)


def _both(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Two entries of one exercise as one: what is done in either is done."""
    best = min(one, other, key=lambda entry: STATES.index(entry["state"]))
    both = {"state": best["state"], "checks": max(one["checks"], other["checks"])}
    points = max(one.get("points", []), other.get("points", []))
    return {**both, "points": points} if points else both


def read() -> tuple[dict[str, dict[str, Any]], str]:
    """All entries by exercise, and what the reader should be told, mostly nothing."""
    return _KEPT.read()


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


_KEPT: Kept[dict[str, Any]] = Kept("progress", "exercises", _is_entry)
