"""The commands for readers of the book and for graders: exercises, start, grade."""

from __future__ import annotations

import shlex
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from kdlib.errors import UserError
from kdlib.jobs.flags import parse
from kdlib.machine.console import show

if TYPE_CHECKING:
    from kdlib.exercises.notebooks.grading import Grade


def _need_the_book(command: str) -> None:
    """Notebooks are read and run by packages that a run of `kdlib distill` does without."""
    missing = [name for name in ("jupytext", "nbclient", "ipykernel") if find_spec(name) is None]
    if missing:
        raise UserError(
            f"{command}: {', '.join(missing)} not installed; install the book too:"
            " pip install 'kdlib[book]'"
        )


@dataclass(frozen=True)
class ExercisesOptions:
    """Show how many exercises are solved, self-marked, tried and open, by chapter."""

    coverage: bool = False
    """Show instead which exercises ask each source question."""
    json: Annotated[bool, tyro.conf.arg(aliases=["--export"])] = False
    """Print every exercise, and your progress, as JSON instead."""
    save: Path | None = None
    """Write your progress into this file, for the exercises page of the book's website."""
    load: Path | None = None
    """First add to your progress what the website, or --save elsewhere, wrote into this file."""


def exercises(arguments: list[str]) -> None:
    """Run ``kdlib exercises``: print the progress, the coverage or the export."""
    options = parse(ExercisesOptions, arguments, prog="kdlib exercises")
    from kdlib.exercises import export_json, print_coverage, print_progress, progress

    if options.load is not None:
        count, said = progress.load(options.load)
        show(_lines(said, f"{_entries(count)} added from {options.load}"))
    if options.save is not None:
        show(f"{_entries(progress.save(options.save))} written to {options.save}")
    elif options.json:
        show(export_json())
    elif options.coverage:
        print_coverage()
    else:
        print_progress()


def _entries(count: int) -> str:
    return f"{count} exercise{'' if count == 1 else 's'}"


def _lines(*parts: str) -> str:
    return "\n".join(filter(None, parts))


FIRST, CHAPTER = "00_start_here", "01_teacher_and_student"  # where to begin; the first exercises


@dataclass(frozen=True)
class StartOptions:
    """Copy the chapters into a folder, as clean notebooks to work in. Nothing is overwritten."""

    folder: tyro.conf.Positional[Path]
    """Where to put them."""
    solved: bool = False
    """With the reference solutions in place."""
    add: bool = False
    """Leave the chapters that are there already, and add the others."""


def start(arguments: list[str]) -> None:
    """Run ``kdlib start``: copy the chapters, print their paths, and what to do next."""
    options = parse(StartOptions, arguments, prog="kdlib start")
    _need_the_book("start")
    from kdlib.exercises import start as copy

    for path in copy(options.folder, options.solved, add=options.add):
        show(str(path))
    show(next_steps(options.folder))


def next_steps(folder: Path) -> str:
    """What a reader does with the chapters in a folder: commands, each to be copied as it stands."""
    first, chapter = (str(folder / f"{name}.ipynb") for name in (FIRST, CHAPTER))
    steps = (
        ("Open the book:", shell("jupyter", "lab", first)),
        ("Check an answer:", "run the exercise's cell, which ends with .check(...)"),
        ("See your progress:", "kdlib exercises"),
        ("Judge a whole chapter:", shell("kdlib", "grade", chapter)),
    )
    return "\n".join(("", *(f"{what:<24}{how}" for what, how in steps)))


def shell(*words: str) -> str:
    """The words as one command for this system's shell."""
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)


LONGEST = 1_000_000  # seconds: more than any notebook takes, and less than a clock counts


@dataclass(frozen=True)
class GradeOptions:
    """Judge every answer in notebooks. This runs the notebooks' code.

    Only what the answers need is run, each notebook in a kernel of its own. What counts is the list
    of exercises of the notebook's chapter. Answers in sentences are printed as they were written,
    with the marks that their authors gave them; they never count as correct. Lines with a ! are
    what a grader may want to look at. CONTRIBUTING.md has a section for teachers.

    Exit codes: 0 all notebooks were graded; 1 some were not, or not to their end; 2 none was, or
    the command cannot be used so. Whatever is wrong with one notebook, the others are graded.
    """

    notebooks: tyro.conf.Positional[tuple[Path, ...]]
    """Notebooks (.ipynb), or percent scripts (.py)."""
    timeout: float = 300.0
    """Seconds for each notebook; an endless cell is stopped after a fifth of them."""
    json: bool = False
    """Print JSON instead of tables."""
    csv: bool = False
    """Print CSV instead, a line for each notebook and exercise."""

    def __post_init__(self) -> None:
        if not self.notebooks:
            raise UserError("missing: notebooks; name at least one")
        if not 0 < self.timeout <= LONGEST:
            raise UserError(f"timeout: {self.timeout} is not above 0 and at most {LONGEST} seconds")
        if self.json and self.csv:
            raise UserError("json and csv: choose one of them")


def grade(arguments: list[str]) -> None:
    """Run ``kdlib grade``: run notebooks and print the verdict on every answer."""
    options = parse(GradeOptions, arguments, prog="kdlib grade")
    _need_the_book("grade")
    from kdlib.exercises.notebooks.grade_sheets import grade_csv, grade_json, grade_table
    from kdlib.exercises.notebooks.grading import GRADED, NOT_GRADED, WARNING

    print(WARNING, file=sys.stderr)
    grades = _graded(options)
    for each in grades:
        if each.problem:
            print(f"kdlib: {each.notebook} {each.problem}", file=sys.stderr)
    sheet = grade_json if options.json else grade_csv if options.csv else grade_table
    show(sheet(grades))
    if all(each.status == NOT_GRADED for each in grades):
        sys.exit(2)
    if any(each.status != GRADED for each in grades):
        sys.exit(1)


def _graded(options: GradeOptions) -> list[Grade]:
    """The grades, with a bar that counts several notebooks."""
    from kdlib.exercises.notebooks.grading import grade_all
    from kdlib.machine.progress import progress_bar

    if len(options.notebooks) == 1:
        return grade_all(options.notebooks, options.timeout)
    with progress_bar("grade", len(options.notebooks), unit="notebook") as bar:

        def done() -> None:
            bar.update()

        return grade_all(options.notebooks, options.timeout, done=done)
