"""Exercises as data: the tables of a chapter's TOML file, checked and made exercises of."""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from kdlib.exercises.judging.rubric import Point
from kdlib.exercises.kinds.base import Exercise
from kdlib.exercises.kinds.choices import Option, choice, right, wrong
from kdlib.exercises.kinds.derivations import derivation
from kdlib.exercises.kinds.keys import checked
from kdlib.exercises.kinds.numbers import number
from kdlib.exercises.kinds.orderings import ordering
from kdlib.exercises.kinds.written import written

ABOUT = ("kind", "source", "difficulty", "minutes", "prompt", "hints")
MISTAKES = ("explanation", "mistakes")


class Kind(NamedTuple):
    """How an exercise of a kind is made, and which keys its table has besides ABOUT."""

    make: Callable[..., Exercise]
    needs: tuple[str, ...]
    may: tuple[str, ...]


def read_chapter(text: str, where: str) -> tuple[tuple[str, ...], dict[str, Exercise]]:
    """The ids of a chapter in its order, and those of its exercises that the file holds.

    ValueError says in which table of the file `where` what is wrong.
    """
    try:
        tables = _joined(tomllib.loads(text))
        order = checked({"order": tables.pop("order", ())}, ("order",))["order"]
        _check_order(order, tables)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    return order, {id: _named(id, table, where) for id, table in tables.items()}


def _check_order(order: tuple[str, ...], ids: Iterable[str]) -> None:
    for id in ids:
        if id not in order:
            raise ValueError(f"{id!r} is not in `order`")
    for id in order:
        if order.count(id) > 1:
            raise ValueError(f"{id!r} stands in `order` twice")


def _named(id: str, table: Any, where: str) -> Exercise:
    try:
        return _exercise(id, table)
    except (ValueError, re.error) as error:
        problem = str(error).removeprefix(f"{id}: ")
        raise ValueError(f"{where}, {id}: {problem}") from error


def _exercise(id: str, table: Any) -> Exercise:
    if not isinstance(table, dict):
        raise ValueError(f"a table is expected, this is {table!r}")
    if table.get("kind") not in KINDS:
        raise ValueError(f"kind is {table.get('kind')!r}; it must be one of {', '.join(KINDS)}")
    kind = KINDS[table["kind"]]
    about = checked(table, (*ABOUT, *kind.needs), kind.may)
    del about["kind"]
    rows = about.pop("mistakes", ())
    exercise = kind.make(id, **about)
    for place, row in enumerate(rows, start=1):
        exercise.mistakes(_row(exercise, row, place))
    return exercise


def _row(exercise: Exercise, row: tuple[Any, ...], place: int) -> tuple[Any, ...]:
    """A mistake, which has what the kind's `wrong` takes."""
    columns = tuple(inspect.signature(exercise.wrong).parameters)
    if len(row) != len(columns):
        raise ValueError(f"mistake {place} must be [{', '.join(columns)}], this is {row!r}")
    checked(dict(zip(columns, row)), columns, what=f"mistake {place}: ")
    return row


def _choice(id: str, options: tuple[dict[str, Any], ...], **about: Any) -> Exercise:
    return choice(id, options=tuple(map(_option, options)), **about)


def _option(table: dict[str, Any]) -> Option:
    if "right" in table:
        about = checked(table, ("right", "comment"), what="option: ")
        return right(about["right"], about["comment"])
    keys = ("wrong", "misconception", "seen", "expected")
    about = checked(table, keys, what="option: ")
    return wrong(about.pop("wrong"), **about)


def _written(id: str, rubric: tuple[dict[str, Any], ...], **about: Any) -> Exercise:
    return written(id, rubric=tuple(map(_point, rubric)), **about)


def _point(table: dict[str, Any]) -> Point:
    about = checked(table, ("point", "misconception"), ("found", "without"), what="point: ")
    if isinstance(about.get("found"), tuple):
        about["found"] = "|".join(about["found"])
    return Point(about.pop("point"), **about)


def _joined(value: Any) -> Any:
    """Lists as tuples, and texts as they are meant: a line break in the file is a space.

    Only an empty line and a line that begins with "- " stay by themselves.
    """
    if isinstance(value, dict):
        return {key: _joined(item) for key, item in value.items()}
    if isinstance(value, list):
        return tuple(map(_joined, value))
    if isinstance(value, str):
        return re.sub(r"(?<!\n)\n(?!\n|- )", " ", re.sub(r" *\n *", "\n", value))
    return value


KINDS = {
    "choice": Kind(_choice, ("options",), ()),
    "derivation": Kind(derivation, ("blanks",), ("symbols", *MISTAKES)),
    "number": Kind(number, ("decimals", "value"), ("unit", "given", *MISTAKES)),
    "ordering": Kind(ordering, ("items",), ("before", *MISTAKES)),
    "written": Kind(_written, ("model", "rubric"), ("explanation",)),
}
