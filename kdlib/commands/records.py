"""The commands about records: show marks what counts, write lets the teacher answer prompts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from kdlib.commands.runs import recipe_and_flags
from kdlib.errors import UserError
from kdlib.jobs.flags import parse
from kdlib.jobs.recipe import Recipe
from kdlib.machine.console import show as print_now


@dataclass(frozen=True)
class ShowOptions:
    """Show some records as the models read them, with the tokens that count marked.

    Look before you train: `kdlib show chat --records my.jsonl`.
    """

    recipe: Annotated[Recipe, tyro.conf.arg(name="")] = Recipe()
    count: int = 3
    """How many records, from all over the file."""

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UserError(f"count: {self.count} is too few; use 1 or more")


def show(arguments: list[str]) -> None:
    """Run ``kdlib show``: print some records with the counted tokens marked."""
    from kdlib.jobs.marked_records import marked_records
    from kdlib.jobs.recipe_files import load_recipe

    name, flags = recipe_and_flags(arguments)
    options = parse(ShowOptions, flags, ShowOptions(load_recipe(name)), prog=f"kdlib show {name}")
    print_now("\n".join(marked_records(options.recipe, options.count)))


@dataclass(frozen=True)
class WriteOptions:
    """Let the recipe's teacher answer prompts: its answers are records like any others.

    A writer that was stopped goes on when it is called again.
    """

    recipe: Annotated[Recipe, tyro.conf.arg(name="")] = Recipe()
    out: Path = Path("answers.jsonl")
    """FILE that appears when all is written."""
    samples: int = 1
    """Answers to each prompt."""
    temperature: float = 1.0
    """Of the draws; 0 takes the likeliest token each time."""
    tokens: int = 256
    """Of an answer, at most. One that does not end by then is left out, and counted."""

    def __post_init__(self) -> None:
        for name in ("samples", "tokens"):
            if getattr(self, name) < 1:
                raise UserError(f"{name}: {getattr(self, name)} is too few; use 1 or more")
        if not 0 <= self.temperature < float("inf"):
            raise UserError(f"temperature: {self.temperature} is not at least 0 and finite")


def write(arguments: list[str]) -> None:
    """Run ``kdlib write``: a file of the teacher's answers."""
    from kdlib.jobs.recipe_files import load_recipe
    from kdlib.jobs.teacher_answers import Writing, write_answers

    name, flags = recipe_and_flags(arguments)
    options = parse(
        WriteOptions, flags, WriteOptions(load_recipe(name)), prog=f"kdlib write {name}"
    )
    how = Writing(options.samples, options.temperature, options.tokens, options.recipe.seed)
    counted = write_answers(options.recipe, options.out, how)
    written = counted.pop("written")
    left_out = ", ".join(f"{count:,} ({reason})" for reason, count in counted.most_common())
    print_now(
        f"Answers: {options.out}, {written:,} records"
        + (f"; left out: {left_out}" if left_out else "")
        + f"\nUse them: kdlib distill {name} --records {options.out}"
    )
