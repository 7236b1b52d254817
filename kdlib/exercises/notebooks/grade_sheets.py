"""What `kdlib grade` prints: a page for each notebook and one for the class, JSON, or CSV.

What stands in it may come from a notebook's code, so no character of it may steer a terminal or be
taken for a formula by a spreadsheet.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import textwrap
from collections.abc import Sequence
from typing import Any

from kdlib.exercises.catalogue import misconceptions
from kdlib.exercises.judging.verdict import NOT_ATTEMPTED, SIGNS
from kdlib.exercises.notebooks.grading import GRADED, Grade
from kdlib.exercises.notebooks.submissions import chapter_titles

SCHEMA = 1  # of the JSON; raised when a key changes its meaning or goes
NARROWEST, WIDEST = 80, 110  # columns
LONGEST = 300  # characters of a remark in the table; JSON has all of it
FORMULA = ("=", "+", "-", "@")  # with which a spreadsheet's formula begins
COLUMNS = (
    "notebook", "status", "problem", "chapter", "exercise", "kind", "outcome", "misconception",
    "checks", "points_made", "points_of", "remark", "flags",
)  # fmt: skip


def grade_table(grades: Sequence[Grade]) -> str:
    """A block for each notebook, and for several the class in one table."""
    blocks = [_block(grade) for grade in grades]
    return "\n\n".join([*blocks, _class(grades)] if len(grades) > 1 else blocks)


def grade_json(grades: Sequence[Grade]) -> str:
    """The grades as JSON; CONTRIBUTING.md describes every key."""
    notebooks = [
        {
            "notebook": g.notebook,
            "status": g.status,
            "problem": g.problem,
            "chapter": g.chapter,
            "correct": g.correct,
            "of": len(g.judged),
            "self_marked": g.self_marked,
            "written": len(g.written),
            "flags": list(g.flags),
            "verdicts": list(g.verdicts),
        }
        for g in grades
    ]
    return json.dumps({"schema": SCHEMA, "notebooks": notebooks}, indent=1)


def grade_csv(grades: Sequence[Grade]) -> str:
    """A line for each notebook and exercise; one line for a notebook that was not graded."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for grade in grades:
        about = [grade.notebook, grade.status, grade.problem, grade.chapter]
        flags = "; ".join(grade.flags)
        for verdict in grade.verdicts or ({},):
            points = verdict.get("points") or {}
            row = [
                *about,
                *(verdict.get(name) for name in COLUMNS[4:9]),
                *(points.get(name) for name in ("made", "of")),
                _remark(verdict) if verdict else "",
                flags,
            ]
            rows.writerow(map(_cell, row))
    return text.getvalue().rstrip("\n")


def _cell(value: Any) -> Any:
    """What a spreadsheet shows as it stands."""
    if not isinstance(value, str):
        return value
    plain = _plain(value)
    return f"'{plain}" if plain.startswith(FORMULA) else plain


def _block(grade: Grade) -> str:
    if grade.chapter is None:
        return f"{_plain(grade.notebook)}\n  {grade.status}: it {_plain(grade.problem)}"
    title = chapter_titles().get(grade.chapter, "")
    head = f"{_plain(grade.notebook)}\n  chapter {grade.chapter}: {title}\n  {_counted(grade)}"
    problem = f"  {grade.status}: it {_plain(grade.problem)}" if grade.problem else ""
    flags = [_wrapped(flag, "  ! ", "    ") for flag in grade.flags]
    answers = [_answer(v) for v in grade.written if v["answer"]]
    parts = (head, problem, "", _verdicts(grade), *(["", *flags] if flags else []), *answers)
    return "\n".join(part for i, part in enumerate(parts) if part or i > 1)


def _counted(grade: Grade) -> str:
    said = f"{grade.correct} of {len(grade.judged)} correct"
    if grade.written:
        said += f"; {grade.self_marked} of {len(grade.written)} written answers self-marked"
    return said


def _verdicts(grade: Grade) -> str:
    """The exercises: sign and outcome, how often checked, and what there is to say."""
    rows = [
        (
            v["exercise"],
            f"{SIGNS[v['outcome']]} {v['outcome']}",
            _points(v),
            str(v["checks"] or ""),
            _remark(v),
        )
        for v in grade.verdicts
    ]
    return _table(("exercise", "outcome", "points", "checks", "remark"), rows)


def _points(verdict: dict[str, Any]) -> str:
    """The points of a written answer, which are the reader's word."""
    points = verdict["points"]
    return f"{points['made']} of {points['of']}" if points else ""


def _remark(verdict: dict[str, Any]) -> str:
    """The misconception, or else what was seen; the error; the note."""
    known = misconceptions().get(verdict["misconception"] or "")
    seen = f"{known.name} ({known.id})" if known else verdict["seen"]
    parts = [
        seen,
        verdict["error"],
        verdict["note"] if verdict["outcome"] != "to be marked" else "",
    ]
    return "; ".join(filter(None, (" ".join(part.split()) for part in parts)))


def _class(grades: Sequence[Grade]) -> str:
    """All notebooks, a line each."""
    graded = sum(g.status == GRADED for g in grades)
    columns = ("notebook", "chapter", "correct", "self-marked", "attempted", "flags", "status")
    rows = [(_plain(g.notebook), *_counts(g), str(len(g.flags) or ""), _state(g)) for g in grades]
    return f"{len(grades)} notebooks, {graded} graded\n\n{_table(columns, rows)}"


def _counts(grade: Grade) -> tuple[str, str, str, str]:
    if not grade.verdicts:
        return "", "", "", ""
    marked = f"{grade.self_marked} of {len(grade.written)}" if grade.written else ""
    attempted = sum(v["outcome"] != NOT_ATTEMPTED for v in grade.verdicts)
    return (
        str(grade.chapter),
        f"{grade.correct} of {len(grade.judged)}",
        marked,
        f"{attempted} of {len(grade.verdicts)}",
    )


def _state(grade: Grade) -> str:
    return f"{grade.status}: {_plain(grade.problem)}" if grade.problem else grade.status


def _answer(verdict: dict[str, Any]) -> str:
    """A written answer under its exercise's id."""
    paragraphs = [_wrapped(_plain(each), "    ", "    ") for each in verdict["answer"].splitlines()]
    return "\n".join((f"\n  {verdict['exercise']}, as it was written:", *paragraphs))


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Columns side by side, without those that are empty; the last one is wrapped."""
    used = [i for i in range(len(head)) if any(row[i] for row in rows)]
    kept = [tuple(row[i] for i in used) for row in [head, *rows]]
    *widths, _ = [max(map(len, column)) for column in zip(*kept)]
    left = sum(widths) + 2 * len(widths) + 2
    room = max(24, _columns() - left)
    lines = [_line(row, widths, room, left) for row in kept]
    rule = "  " + "  ".join("-" * w for w in [*widths, min(room, max(len(r[-1]) for r in kept))])
    return "\n".join([lines[0], rule, *lines[1:]])


def _line(row: tuple[str, ...], widths: list[int], room: int, left: int) -> str:
    *cells, last = row
    first = "  " + "".join(f"{cell:<{width}}  " for cell, width in zip(cells, widths))
    short = textwrap.shorten(_plain(last), LONGEST, placeholder=" ...")
    pieces = textwrap.wrap(short, room) or [""]
    return "\n".join([(first + pieces[0]).rstrip(), *(" " * left + piece for piece in pieces[1:])])


def _wrapped(text: str, first: str, others: str) -> str:
    return textwrap.fill(_plain(text), _columns(), initial_indent=first, subsequent_indent=others)


def _columns() -> int:
    return min(WIDEST, max(NARROWEST, shutil.get_terminal_size((100, 24)).columns))


def _plain(text: str) -> str:
    """Without what might steer a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)
