"""What `kdlib exercises` and `kdlib grade` print: plain tables, and JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from kdlib.exercises import progress
from kdlib.exercises.kinds.base import Exercise
from kdlib.exercises.kinds.choices import ChoiceExercise
from kdlib.exercises.kinds.written import WrittenExercise
from kdlib.exercises.notebooks.grading import Grade
from kdlib.exercises.registry import chapters, coverage, exercises

WIDTH = 96  # columns of a written answer
COUNTED = (progress.SOLVED, progress.SELF_MARKED, progress.TRIED, progress.OPEN)


def progress_table() -> str:
    """By chapter: solved, marked by the reader, tried, open, and the minutes that the rest takes."""
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


def coverage_table() -> str:
    """Which exercises ask each source question."""
    rows = [(question, ", ".join(ids) or "-") for question, ids in coverage().items()]
    return _table(("question", "exercises"), rows)


def grade_table(grades: Iterable[Grade]) -> str:
    """One block a notebook: exercise, outcome, misconception; then what was written, as it stands."""
    return "\n\n".join(map(_grade_block, grades))


def _grade_block(grade: Grade) -> str:
    written = grade.written
    head = f"{grade.notebook}: {grade.correct} of {len(grade.verdicts) - len(written)} correct"
    if written:
        head += f"; {grade.self_marked} of {len(written)} written answers self-marked"
    rows = [(v["exercise"], _outcome(v), v.get("misconception") or "") for v in grade.verdicts]
    problem = f"Note: {grade.problem}" if grade.problem else ""
    table = _table(("exercise", "outcome", "misconception"), rows)
    answers = [_answer(v) for v in written if v.get("answer")]
    return "\n".join(filter(None, (head, problem, table, *answers)))


def _outcome(verdict: dict[str, Any]) -> str:
    """With the points of a written answer, which are the reader's word."""
    points = verdict.get("points")
    counted = f", {points['made']} of {points['of']} points" if points else ""
    return f"{verdict['outcome']}{counted}"


def _answer(verdict: dict[str, Any]) -> str:
    """A written answer under its exercise's id, without what might steer a terminal."""
    paragraphs = verdict["answer"].splitlines()
    plain = ("".join(c if c.isprintable() else " " for c in each) for each in paragraphs)
    lines = [line for each in plain for line in textwrap.wrap(each, WIDTH)]
    return "\n".join((f"\n{verdict['exercise']}, as it was written:", *(f"  {x}" for x in lines)))


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
