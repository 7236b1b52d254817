"""The cards of the museum, read from a file for each room, and run."""

from __future__ import annotations

import ast
import functools
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Any

from kdlib.errors import UserError
from kdlib.exercises.catalogue import Misconception, misconceptions

ROOMS = (
    "sums", "directions", "softmax", "positions", "writers", "teachers", "targets", "numbers",
    "units", "judgement",
)  # fmt: skip
NO_SIGN = "-0.0000"


@dataclass(frozen=True)
class Printed:
    """What the two snippets of a card print."""

    broken: str
    right: str


@dataclass(frozen=True, repr=False)
class BugCard:
    """A mistake in two snippets. Each is a few lines whose last is the expression that is shown.

    Attributes:
        id: of the catalogue.
        room: whose file it stands in.
        broken, right: the two snippets.
        setup: what both start from, besides the prelude.
        test: what catches the mistake, as on a label of the museum's chapter.
        seen: where it was met: a project, a number and a year, or a paper; mostly empty.
        note: a sentence about what the two outputs show, where they do not speak for themselves.
    """

    id: str
    room: str
    broken: str
    right: str
    test: str
    setup: str = ""
    seen: str = ""
    note: str = ""

    @property
    def about(self) -> Misconception:
        """The catalogue's entry."""
        return misconceptions()[self.id]

    @functools.cached_property
    def printed(self) -> Printed:
        """Run both snippets, each in names of its own."""
        return Printed(*(words_of(run(self.setup, code)) for code in (self.broken, self.right)))

    def __repr__(self) -> str:
        setup = f"{self.setup.strip()}\n\n" if self.setup else ""
        rest = (("Seen in", self.seen), ("Caught by", self.test), ("Do", self.about.do))
        return "\n".join(
            [
                f"{self.about.sign}",
                f"{self.about.name} ({self.id})",
                "",
                f"{setup}# broken\n{self.broken.strip()}",
                f"# prints {self.printed.broken}\n\n# right\n{self.right.strip()}",
                f"# prints {self.printed.right}\n",
                *([self.note] if self.note else []),
                *(f"{name}: {text}" for name, text in rest if text),
                f"Read: {', '.join(self.about.read)}",
            ]
        )


def run(*parts: str) -> Any:
    """The value of the last expression of the code."""
    # It loads torch, and who only looks a card up needs none.
    from kdlib.exercises.museum import prelude

    names = {name: getattr(prelude, name) for name in prelude.__all__}
    *body, last = ast.parse("\n".join(part.strip() for part in parts)).body
    if not isinstance(last, ast.Expr):
        raise ValueError(f"the last line of a snippet is what it shows; this is none: {parts[-1]}")
    exec(compile(ast.Module(body, []), "card", "exec"), names)
    return eval(compile(ast.Expression(last.value), "card", "eval"), names)


def words_of(value: Any) -> str:
    """A result as text: numbers to four decimals, lists with spaces, no sign before a zero."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return " ".join(map(words_of, value))
    if isinstance(value, float):
        text = f"{value:.4f}"
        return text.removeprefix("-") if text == NO_SIGN else text
    return f"{value:,}" if type(value) is int else str(value)


@functools.cache
def cards() -> dict[str, BugCard]:
    """Every card by id, room by room."""
    folder = resources.files("kdlib.exercises.museum")
    return {
        id: BugCard(id=id, room=room, **entry)
        for room in ROOMS
        for id, entry in tomllib.loads((folder / f"{room}.toml").read_text("utf-8")).items()
    }


def bug(id: str) -> BugCard:
    """A card of the museum, to be looked at and run.

    Raises:
        UserError: for a mistake that has an exhibit in the chapter, or that there is not.
    """
    if id in cards():
        return cards()[id]
    if id in misconceptions():
        raise UserError(f"id: {id} has no card, since chapter 13 has an exhibit of it: #{id}")
    raise UserError(f'id: there is no {id}; symptom("...") finds one by what you see')
