"""For those who work through the book, and those who judge their answers: exercises, start, grade."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from kdlib.errors import UserError
from kdlib.jobs.flags import parse


@dataclass(frozen=True)
class ExercisesOptions:
    """Show which exercises are solved, tried and open, by chapter."""

    coverage: bool = False
    """Show instead which exercises ask each source question."""
    export: bool = False
    """Print every exercise, and your progress, as JSON instead."""


def exercises(arguments: list[str]) -> None:
    asked = parse(ExercisesOptions, arguments, prog="kdlib exercises")
    from kdlib.exercises import export_json, print_coverage, print_progress

    if asked.export:
        print(export_json())
    elif asked.coverage:
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


def start(arguments: list[str]) -> None:
    asked = parse(StartOptions, arguments, prog="kdlib start")
    from kdlib.exercises import start as copy

    for path in copy(asked.folder, asked.solved):
        print(path)


@dataclass(frozen=True)
class GradeOptions:
    """Run notebooks in a fresh kernel and judge every answer. This runs the notebooks' code."""

    notebooks: tyro.conf.Positional[tuple[Path, ...]]
    """Notebooks (.ipynb), or percent scripts (.py)."""
    timeout: float = 300.0
    """Seconds for each notebook."""
    json: bool = False
    """Print JSON instead of tables."""

    def __post_init__(self) -> None:
        if not self.notebooks:
            raise UserError("missing: notebooks; name at least one")
        if not self.timeout > 0:
            raise UserError(f"timeout: {self.timeout} is not above 0 seconds")


def grade(arguments: list[str]) -> None:
    asked = parse(GradeOptions, arguments, prog="kdlib grade")
    from kdlib.exercises import grade as judge
    from kdlib.exercises import grade_table
    from kdlib.exercises.notebooks.grading import WARNING, as_json

    print(WARNING, file=sys.stderr)
    grades = [judge(notebook, asked.timeout) for notebook in asked.notebooks]
    print(as_json(grades) if asked.json else grade_table(grades))
