"""What `kdlib exercises` prints: plain tables, and JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from kdlib.errors import UserError
from kdlib.exercises import progress
from kdlib.exercises.kinds.base import Exercise
from kdlib.exercises.kinds.choices import ChoiceExercise
from kdlib.exercises.kinds.written import WrittenExercise
from kdlib.exercises.registry import chapters, coverage, exercises

NOTEBOOK = 79  # columns of a line in a notebook
COUNTED = (progress.SOLVED, progress.SELF_MARKED, progress.TRIED, progress.OPEN)


def progress_table() -> str:
    """By chapter: solved, marked by the reader, tried, open, and the minutes that are left."""
    entries, said = progress.read()
    rows = [_progress_row(f"{n:02}", found, entries) for n, found in chapters().items()]
    rows.append(_progress_row("all", tuple(exercises().values()), entries))
    table = _table(("chapter", *COUNTED, "minutes left"), rows)
    return "\n".join(filter(None, (said, table)))


def _progress_row(name: str, found: Iterable[Exercise], entries: dict[str, Any]) -> tuple[str, ...]:
    states = {e: entries.get(e.id, {}).get("state", progress.OPEN) for e in found}
    counts = [sum(s == state for s in states.values()) for state in COUNTED]
    left = sum(e.minutes for e, state in states.items() if state not in progress.DONE)
    return (name, *map(str, counts), str(left))


def chapter_progress(number: int) -> str:
    """How far the reader is in one chapter: what is done, what was tried, what is open.

    Without progress, as where the chapters are built, it says what there is to do.
    """
    if number not in chapters():
        there = ", ".join(map(str, chapters()))
        raise UserError(f"chapter: {number} has no exercises; the chapters {there} have")
    found = chapters()[number]
    if progress.folder() is None:
        minutes = sum(e.minutes for e in found)
        return (
            f"Chapter {number} has {len(found)} exercises, about {minutes} minutes.\n"
            "Where progress is kept, this says which of them are done."
        )
    entries, said = progress.read()
    states = {e: entries.get(e.id, {}).get("state", progress.OPEN) for e in found}
    done = sum(state in progress.DONE for state in states.values())
    left = sum(e.minutes for e, state in states.items() if state not in progress.DONE)
    rest = f"; about {left} minutes left" if left else ""
    lines = [f"{done} of {len(found)} exercises of chapter {number} done{rest}"]
    for state in COUNTED:
        if ids := [e.id for e in found if states[e] == state]:
            lines.append(_wrapped(f"{progress.SIGNS[state]} {state}:", ids))
    return "\n".join(filter(None, (said, *lines)))


def _wrapped(label: str, ids: Sequence[str]) -> str:
    """Ids behind a label, in lines that end before an id and not within one."""
    return textwrap.fill(
        f"{label:<15}{', '.join(ids)}",
        NOTEBOOK,
        initial_indent="  ",
        subsequent_indent=" " * 17,
        break_on_hyphens=False,
    )


def coverage_table() -> str:
    """Which exercises ask each source question, and which ask something else."""
    beyond = [e.id for e in exercises().values() if not e.source]
    rows = [(question, ", ".join(ids) or "-") for question, ids in coverage().items()]
    rows.append(("beyond", ", ".join(beyond)))
    return _table(("question", "exercises"), rows)


def export_json() -> str:
    """Every exercise as data, with the reader's progress."""
    entries, _ = progress.read()
    content = [
        {
            **_described(e),
            "chapter": number,
            "progress": entries.get(e.id, {"state": progress.OPEN}),
        }
        for number, found in chapters().items()
        for e in found
    ]
    return json.dumps(content, indent=1)


def print_progress(chapter: int | None = None) -> None:
    """All chapters in a table, or one chapter with the names of its exercises."""
    print(progress_table() if chapter is None else chapter_progress(chapter))


def print_coverage() -> None:
    print(coverage_table())


def _described(exercise: Exercise) -> dict[str, Any]:
    names = ("id", "kind", "source", "difficulty", "minutes", "prompt", "hints")
    about = {name: getattr(exercise, name) for name in names}
    if isinstance(exercise, ChoiceExercise):
        about["options"] = [
            {
                "text": o.text,
                "right": o.wrong is None,
                "comment": o.wrong.seen if o.wrong else o.comment,
            }
            for o in exercise.options
        ]
    if isinstance(exercise, WrittenExercise):
        about["model"] = exercise.model
        about["rubric"] = [
            {"text": p.text, "misconception": p.misconception, "looked_for": p.found is not None}
            for p in exercise.rubric
        ]
    return about


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(head, *rows)]

    def line(cells: Iterable[str]) -> str:
        return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip()

    return "\n".join([line(head), line(["-" * w for w in widths]), *map(line, rows)])
