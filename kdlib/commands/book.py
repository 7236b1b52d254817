"""The commands for readers of the book and for graders: exercises, start, grade."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import tyro

from kdlib.errors import UserError
from kdlib.jobs.flags import parse
from kdlib.machine.console import show


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


def exercises(arguments: list[str]) -> None:
    """Run ``kdlib exercises``: print the progress, the coverage or the export."""
    options = parse(ExercisesOptions, arguments, prog="kdlib exercises")
    from kdlib.exercises import export_json, print_coverage, print_progress

    if options.json:
        show(export_json())
    elif options.coverage:
        print_coverage()
    else:
        print_progress()


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
    """Run ``kdlib start``: copy the chapters and print their paths."""
    options = parse(StartOptions, arguments, prog="kdlib start")
    _need_the_book("start")
    from kdlib.exercises import start as copy

    for path in copy(options.folder, options.solved, add=options.add):
        show(str(path))


LONGEST = 1_000_000  # seconds: more than any notebook takes, and less than a clock counts


@dataclass(frozen=True)
class GradeOptions:
    """Run notebooks in a fresh kernel and judge every answer. This runs the notebooks' code.

    Answers in sentences are printed as they were written, with the marks that their authors gave
    them; they never count as correct.
    """

    notebooks: tyro.conf.Positional[tuple[Path, ...]]
    """Notebooks (.ipynb), or percent scripts (.py)."""
    timeout: float = 300.0
    """Seconds for each notebook."""
    json: bool = False
    """Print JSON instead of tables."""

    def __post_init__(self) -> None:
        if not self.notebooks:
            raise UserError("missing: notebooks; name at least one")
        if not 0 < self.timeout <= LONGEST:
            raise UserError(f"timeout: {self.timeout} is not above 0 and at most {LONGEST} seconds")


def grade(arguments: list[str]) -> None:
    """Run ``kdlib grade``: run notebooks and print the verdict on every answer."""
    options = parse(GradeOptions, arguments, prog="kdlib grade")
    _need_the_book("grade")
    from kdlib.exercises import grade as judge
    from kdlib.exercises import grade_table
    from kdlib.exercises.notebooks.grading import WARNING, as_json, refused

    print(WARNING, file=sys.stderr)
    grades = []
    for notebook in options.notebooks:
        try:
            grades.append(judge(notebook, options.timeout))
        except UserError as error:  # the others are judged all the same
            print(f"kdlib: {error}", file=sys.stderr)
            grades.append(refused(notebook, error))
    show(as_json(grades) if options.json else grade_table(grades))
    if any(each.refused for each in grades):
        sys.exit(2)
