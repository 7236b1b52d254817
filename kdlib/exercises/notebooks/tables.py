"""What `kdlib exercises` and `kdlib grade` print: plain tables, and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from kdlib.exercises import progress
from kdlib.exercises.kinds.base import Exercise
from kdlib.exercises.kinds.choices import ChoiceExercise
from kdlib.exercises.notebooks.grading import Grade
from kdlib.exercises.registry import chapters, coverage, exercises


def progress_table() -> str:
    """By chapter: solved, tried, open, and the minutes that the rest takes; then the total."""
    entries, said = progress.read()
    rows = [_progress_row(f"{n:02}", found, entries) for n, found in chapters().items()]
    rows.append(_progress_row("all", tuple(exercises().values()), entries))
    table = _table(("chapter", "solved", "tried", "open", "minutes left"), rows)
    return "\n".join(filter(None, (said, table)))


def _progress_row(name: str, found: Iterable[Exercise], entries: dict[str, Any]) -> tuple[str, ...]:
    states = {e: entries.get(e.id, {}).get("state", progress.OPEN) for e in found}
    counts = [sum(s == state for s in states.values()) for state in ("solved", "tried", "open")]
    left = sum(e.minutes for e, state in states.items() if state != progress.SOLVED)
    return (name, *map(str, counts), str(left))


def coverage_table() -> str:
    """Which exercises ask each source question."""
    rows = [(question, ", ".join(ids) or "-") for question, ids in coverage().items()]
    return _table(("question", "exercises"), rows)


def grade_table(grades: Iterable[Grade]) -> str:
    """One block a notebook: exercise, outcome, misconception."""
    blocks = []
    for grade in grades:
        head = f"{grade.notebook}: {grade.correct} of {len(grade.verdicts)} correct"
        rows = [(v["exercise"], v["outcome"], v.get("misconception") or "") for v in grade.verdicts]
        problem = f"Note: {grade.problem}" if grade.problem else ""
        table = _table(("exercise", "outcome", "misconception"), rows)
        blocks.append("\n".join(filter(None, (head, problem, table))))
    return "\n\n".join(blocks)


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


def print_progress() -> None:
    print(progress_table())


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
    return about


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(head, *rows)]

    def line(cells: Iterable[str]) -> str:
        return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip()

    return "\n".join([line(head), line(["-" * w for w in widths]), *map(line, rows)])
