"""Grade readers' notebooks: run what their answers need, and collect the verdict of every check.

This RUNS the notebooks' code, with the rights of whoever grades. What counts is the chapter's list
of exercises, not the notebook's. A verdict is evidence, no proof: code that wants to forge one can.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdlib.errors import UserError
from kdlib.exercises.judging.verdict import CORRECT, ERROR, NOT_ATTEMPTED, SELF_MARKED
from kdlib.exercises.notebooks.judgements import Lines, judgement, read_lines
from kdlib.exercises.notebooks.needs import Plan, needed
from kdlib.exercises.notebooks.running import Run, run_all
from kdlib.exercises.notebooks.statements import syntax_error
from kdlib.exercises.notebooks.submissions import (
    Cell,
    Submission,
    chapter_of,
    read_submission,
)
from kdlib.exercises.notebooks.suspicions import suspicions
from kdlib.exercises.registry import chapters, exercises

WARNING = (
    "Grading runs the notebook's code on this machine. Grade only what you would run yourself."
)
TIMEOUT = 300.0
MOST_KERNELS = 8  # at once; each holds some hundred megabytes
GRADED, INCOMPLETE, NOT_GRADED = "graded", "incomplete", "not graded"


@dataclass(frozen=True)
class Grade:
    """What came of one notebook.

    status: "graded"; "incomplete", where the run fell short and what there is stands;
    "not graded", where there is nothing. problem: why, as it follows the notebook's name.
    chapter: whose exercises count. verdicts: one dictionary an exercise of it, in its order, all
    with the same keys. flags: what a grader may want to look at.
    """

    notebook: str
    status: str
    problem: str = ""
    chapter: int | None = None
    verdicts: tuple[dict[str, Any], ...] = ()
    flags: tuple[str, ...] = ()

    @property
    def correct(self) -> int:
        """How many answers the program found correct. Written ones are never among them."""
        return sum(verdict["outcome"] == CORRECT for verdict in self.judged)

    @property
    def judged(self) -> tuple[dict[str, Any], ...]:
        """The verdicts that are the program's."""
        return tuple(v for v in self.verdicts if v["kind"] != "written")

    @property
    def written(self) -> tuple[dict[str, Any], ...]:
        """The verdicts of exercises that the reader answers in sentences, and marks."""
        return tuple(v for v in self.verdicts if v["kind"] == "written")

    @property
    def self_marked(self) -> int:
        return sum(verdict["outcome"] == SELF_MARKED for verdict in self.written)


def grade(notebook: Path | str, timeout: float = TIMEOUT) -> Grade:
    """Run what the answers of a notebook (.ipynb, or a percent .py) need, and judge them.

    A cell that fails does not stop the cells after it. Each exercise of the notebook's chapter
    appears once, its last check counts. A file that is no notebook is a grade with a problem.
    """
    return grade_all([Path(notebook)], timeout, kernels=1)[0]


def grade_all(
    notebooks: Sequence[Path],
    timeout: float = TIMEOUT,
    kernels: int | None = None,
    done: Callable[[], None] = lambda: None,
) -> list[Grade]:
    """Grade several notebooks; whatever is wrong with one costs no other anything.

    Args:
        notebooks: their files.
        timeout: seconds for each.
        kernels: how many run at once; by default one for each processor, eight at most.
        done: is called whenever one is settled.
    """
    # All are read before the first runs: code in one could change another.
    read = [_read(path) for path in notebooks]
    runs = {i: (s, needed(s.cells)) for i, s in enumerate(read) if isinstance(s, Submission)}
    for _ in range(len(read) - len(runs)):
        done()
    jobs = [(plan.cells, submission.path.parent) for submission, plan in runs.values()]
    ended = run_all(jobs, timeout, kernels or _kernels(), lambda number: done())
    results = dict(zip(runs, ended))
    return [
        found if isinstance(found, Grade) else _grade(found, runs[i][1], results[i])
        for i, found in enumerate(read)
    ]


def _kernels() -> int:
    return min(MOST_KERNELS, os.cpu_count() or 1)


def _read(path: Path) -> Submission | Grade:
    try:
        found = read_submission(path)
    except UserError as error:
        return Grade(str(path), NOT_GRADED, str(error).removeprefix(f"{path} "))
    if found.chapter is None:
        return Grade(str(path), NOT_GRADED, "is of no chapter: it names no exercise of the book")
    if found.chapter not in chapters():
        return Grade(str(path), NOT_GRADED, f"is chapter {found.chapter}, which has no exercises")
    return found


def _grade(submission: Submission, plan: Plan, run: Run) -> Grade:
    assert submission.chapter is not None
    lines = read_lines(run.lines)
    flags = [*submission.doubts]
    verdicts = []
    for exercise in chapters()[submission.chapter]:
        verdict, odd = judgement(exercise.id, lines.by_exercise.get(exercise.id, []))
        cells = [cell for cell in submission.cells if cell.answers(exercise.id)]
        _add_errors(verdict, cells, run.errors)
        flags += odd + _odd_cells(verdict, cells, exercise.cell())
        verdicts.append(verdict)
    flags += _odd_lines(submission.chapter, lines)
    flags += suspicions(submission.cells)
    if plan.whole:
        flags.append(f"{plan.whole}, so the whole notebook was run")
    status = INCOMPLETE if run.problem else GRADED
    return Grade(
        str(submission.path), status, run.problem, submission.chapter, tuple(verdicts), tuple(flags)
    )


def _add_errors(verdict: dict[str, Any], cells: list[Cell], errors: dict[int, str]) -> None:
    """Say beside an exercise how its cell failed; without a verdict, that is its outcome."""
    said = [
        f"cell {cell.number}: {syntax_error(cell.source) or errors[cell.number]}"
        for cell in cells
        if cell.number in errors
    ]
    verdict["error"] = "; ".join(said)
    if verdict["outcome"] != NOT_ATTEMPTED or verdict["checks"]:
        return
    if said:
        verdict["outcome"] = ERROR
    elif not cells:
        verdict["note"] = "its cell is missing"


def _odd_cells(verdict: dict[str, Any], cells: list[Cell], untouched: str) -> list[str]:
    """What an answer's cells say against its verdict."""
    id = verdict["exercise"]
    if verdict["outcome"] == NOT_ATTEMPTED or not verdict["checks"]:
        return []
    if not cells:
        return [f"{id}: it was checked, and no cell names it"]
    if all(cell.source.strip() == untouched for cell in cells):
        return [f"{id}: its cell is untouched, and yet it was checked"]
    return []


def _odd_lines(chapter: int, lines: Lines) -> list[str]:
    """What the checks wrote besides: other exercises, and lines that are none."""
    flags = []
    for id in lines.by_exercise:
        if id not in exercises():
            flags.append(f"{_shown(id)}: there is no such exercise; it does not count")
        elif chapter_of(id) != chapter:
            flags.append(f"{id}: an exercise of chapter {chapter_of(id)}; it does not count")
    if lines.unreadable:
        lines_are = "line is" if lines.unreadable == 1 else "lines are"
        flags.append(f"{lines.unreadable} {lines_are} no verdict")
    return flags


def _shown(id: str) -> str:
    """A made-up name, which may hold anything."""
    return "".join(c if c.isprintable() else "?" for c in id[:40])
