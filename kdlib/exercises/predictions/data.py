r"""Predictions as data: one TOML file a chapter, and in it one table for each prediction.

::

    [04-better-mimic]                     # the chapter, and a name
    question = "which of the two is the better mimic"   # the words after **Predict**, as they stand
    asks = "Which is the better mimic?"   # what the form says; without it, the question
    kind = "choice"
    shows.A = '^A .* (\S+)$'              # a name for a number, and where the outputs print it
    shows.B = '^B .* (\S+)$'
    options = [                           # [text, when it is right, what choosing it shows]
        ["A", "A < B"],
        ["B", "B < A", "A difference is not what the logarithm charges for."],
        ["both alike", "A = B"],
    ]
    right = "A"

    [04-draws]
    question = "about how many draws"
    kind = "number"
    shows = '^A +(?:\S+ +){3}(\S+)'       # one group: the number
    right = 112
    unit = "draws"                        # or "%", or nothing
    ends = [1, 1000]                      # of the number line; two whole numbers: it has no others
    scale = "log"                         # or "linear", which is also what it is without a word
    factor = 1.5                          # so near counts as foreseen; or a difference: within = 5

    [04-four]
    question = "put four students in order"
    kind = "order"
    ends = ["nearest", "furthest"]        # what comes first, and last
    items = [                             # in the right order; readers see them shuffled
        ["less sure", '^less sure +\S+ +(\S+)'],
        ["surer", '^surer +\S+ +(\S+)'],
    ]
    values = "rising"                     # of what the items' patterns find; or "falling"

A pattern is a regular expression over the plain text of all outputs that answer the question, in
which ^ and $ are the ends of a line; it must be found exactly once. Numbers may have commas, a sign
and a per cent sign; inf and nan are numbers.

*When* an option is right is a comparison of names and numbers, with <, > or =, as "A < 2 * B" or
"A < B < 0.5 and C = nan"; or a pattern between slashes, which must be found. Exactly one option may
be right by the outputs, and it must be the one that `right` names.

Readers keep the letters of options and items. Who changes these or their order changes the id.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Callable, Mapping
from importlib import resources
from types import MappingProxyType
from typing import Any

from kdlib.exercises.kinds.keys import Rule, checked
from kdlib.exercises.kinds.spellings import LETTERS
from kdlib.exercises.predictions.kinds import Choice, Number, Option, Order, Prediction

ID = re.compile(r"(\d\d)-[a-z0-9]+(?:-[a-z0-9]+)*")


@functools.cache
def predictions() -> Mapping[str, Prediction]:
    """All of the book by id, in the order of the chapters' files."""
    folder = resources.files(__package__)
    files = sorted(each.name for each in folder.iterdir() if each.name.endswith(".toml"))
    found = [read_chapter(folder.joinpath(name).read_text("utf-8"), name) for name in files]
    return MappingProxyType({id: each for chapter in found for id, each in chapter.items()})


def of_chapter(number: int) -> tuple[Prediction, ...]:
    return tuple(p for id, p in predictions().items() if int(id[:2]) == number)


def read_chapter(text: str, where: str) -> dict[str, Prediction]:
    """The predictions of a file. ValueError says what is wrong, and in which table of `where`."""
    try:
        tables = tomllib.loads(text)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    return {id: _named(id, table, where) for id, table in tables.items()}


def _named(id: str, table: Any, where: str) -> Prediction:
    try:
        found = ID.fullmatch(id)
        if found is None or f"{found[1]}.toml" != where:
            raise ValueError(f"an id begins with {where.partition('.')[0]}- and is in kebab-case")
        if not isinstance(table, dict) or table.get("kind") not in KINDS:
            raise ValueError(f"a table is expected, with a kind of {', '.join(KINDS)}")
        make, needs, may = KINDS[table["kind"]]
        about = checked(table, ("question", "kind", *needs), ("asks", *may), rules=RULES)
        del about["kind"]
        return make(id=id, **about)
    except (ValueError, re.error) as error:
        raise ValueError(f"{where}, {id}: {error}") from error


def _choice(options: list[list[str]], right: str, **about: Any) -> Choice:
    rows = tuple(Option(*row) for row in options)
    texts = [option.text for option in rows]
    if texts.count(right) != 1 or len({*texts}) != len(texts):
        raise ValueError(f"`right` must be the text of one option, this is {right!r}")
    if rows[texts.index(right)].because:
        raise ValueError("the right option needs no third text: it shows no misconception")
    patterns = [o.when[1:-1] for o in rows if o.when.startswith("/")]
    for pattern in (*about.get("shows", {}).values(), *patterns):
        re.compile(pattern)
    return Choice(options=rows, right=right, shows=about.pop("shows", {}), **about)


def _number(ends: list[float], scale: str = "linear", **about: Any) -> Number:
    low, high = ends
    right, is_log = about["right"], scale == "log"
    if ("factor" in about) == ("within" in about):
        raise ValueError("give `factor` or `within`, one of them")
    if (
        not low <= right <= high
        or low == high
        or (is_log and low <= 0)
        or ("factor" in about and right <= 0)
    ):
        raise ValueError(f"`ends` must be around {right}, and with a logarithm or a factor above 0")
    if not isinstance(about["shows"], str) or re.compile(about["shows"]).groups != 1:
        raise ValueError("`shows` must be one pattern with one group")
    return Number(low=low, high=high, is_log=is_log, **about)


def _order(items: list[list[str]], values: str, ends: list[str], **about: Any) -> Order:
    for _, pattern in items:
        if re.compile(pattern).groups != 1:
            raise ValueError(f"an item's pattern must have one group, this is {pattern!r}")
    first, last = ends
    rows = tuple((text, pattern) for text, pattern in items)
    if len({text for text, _ in rows}) != len(rows):
        raise ValueError("two items have the same text")
    return Order(items=rows, ends=(first, last), is_rising=values == "rising", **about)


def _are(kind: Any, *sizes: int) -> Callable[[Any], bool]:
    """Whether a value is a list of this kind, with one of these lengths."""
    return lambda value: (
        isinstance(value, list) and len(value) in sizes and all(isinstance(x, kind) for x in value)
    )


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _rows(*sizes: int) -> Callable[[Any], bool]:
    """Whether a value is a list of at least two and at most eight rows of texts."""
    return lambda value: (
        isinstance(value, list)
        and 2 <= len(value) <= len(LETTERS)
        and all(map(_are(str, *sizes), value))
    )


_TEXT: Rule = ("a text that is not empty", lambda value: isinstance(value, str) and value != "")
RULES: dict[str, Rule] = {
    **dict.fromkeys(("question", "asks", "kind", "unit"), _TEXT),
    "shows": (
        "a pattern, or a table of them",
        lambda value: (
            isinstance(value, str)
            or (isinstance(value, dict) and all(isinstance(x, str) for x in value.values()))
        ),
    ),
    "right": ("a number, or an option's text", lambda v: _is_number(v) or isinstance(v, str)),
    "options": ("2 to 8 rows of [text, when] or [text, when, because]", _rows(2, 3)),
    "items": ("2 to 8 rows of [text, pattern]", _rows(2)),
    "ends": (
        "two numbers or two texts",
        lambda value: _are((int, float), 2)(value) or _are(str, 2)(value),
    ),
    "scale": ("log or linear", lambda value: value in ("log", "linear")),
    "values": ("rising or falling", lambda value: value in ("rising", "falling")),
    "factor": ("a number above 1", lambda value: _is_number(value) and value > 1),
    "within": ("a number, 0 or above", lambda value: _is_number(value) and value >= 0),
}
Kind = tuple[Callable[..., Prediction], tuple[str, ...], tuple[str, ...]]  # its maker, needs, may
KINDS: dict[str, Kind] = {
    "choice": (_choice, ("options", "right"), ("shows",)),
    "number": (
        _number,
        ("shows", "right", "ends"),
        ("unit", "scale", "factor", "within"),
    ),
    "order": (_order, ("items", "values", "ends"), ()),
}
