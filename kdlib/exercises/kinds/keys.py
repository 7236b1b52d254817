"""What may stand under each key of an exercise's data, and the refusal of anything else."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

Rule = tuple[str, Callable[[Any], bool]]  # in words, and whether a value keeps it


def checked(
    table: dict[str, Any],
    needs: tuple[str, ...],
    may: tuple[str, ...] = (),
    what: str = "",
    rules: Mapping[str, Rule] | None = None,
) -> dict[str, Any]:
    """A copy of the table. ValueError for a key that is missing, unknown or holds another thing.

    rules: of the keys; by default those of exercises.
    """
    for key in table:
        if key not in (*needs, *may):
            near = difflib.get_close_matches(key, (*needs, *may), n=1)
            known = f"is it {near[0]!r}?" if near else f"known are {', '.join((*needs, *may))}"
            raise ValueError(f"{what}there is no key {key!r}; {known}")
    for key in needs:
        if key not in table:
            raise ValueError(f"{what}{key!r} is missing")
    for key, value in table.items():
        words, holds = (RULES if rules is None else rules)[key]
        if not holds(value):
            raise ValueError(f"{what}{key!r} must be {words}, this is {value!r}")
    return dict(table)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_whole(value: Any) -> bool:
    return type(value) is int


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple) and [type(item) for item in value] == [int, int]


def _is_formula(value: Any) -> bool:
    return type(value) in (str, int, float)


def _tuple_of(*holds: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Whether a value is a tuple, and each item keeps one of the rules."""
    return lambda value: (
        isinstance(value, tuple) and all(any(h(item) for h in holds) for item in value)
    )


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


_are_texts = _tuple_of(_is_text)
_TEXT: Rule = ("a text", _is_text)
_TEXTS: Rule = ("a list of texts", _are_texts)
_WHOLE: Rule = ("a whole number", _is_whole)
_TABLES: Rule = ("a list of tables", _tuple_of(_is_table))

RULES: dict[str, Rule] = {
    **dict.fromkeys(("kind", "prompt", "explanation", "unit", "model", "text"), _TEXT),
    **dict.fromkeys(("right", "comment", "wrong", "misconception", "seen", "expected"), _TEXT),
    **dict.fromkeys(("point", "without"), _TEXT),
    **dict.fromkeys(("order", "source", "hints", "symbols", "items"), _TEXTS),
    **dict.fromkeys(("difficulty", "minutes", "decimals", "blank", "early", "late"), _WHOLE),
    **dict.fromkeys(("options", "rubric"), _TABLES),
    "before": ("a list of pairs of whole numbers", _tuple_of(_is_pair)),
    "mistakes": ("a list of lists", _tuple_of(lambda row: isinstance(row, tuple))),
    "blanks": ("a list of texts, or of lists of texts", _tuple_of(_is_text, _are_texts)),
    "value": ("a formula or a number", _is_formula),
    "given": (
        "a table of numbers and formulas",
        lambda value: _is_table(value) and all(map(_is_formula, value.values())),
    ),
    "found": (
        "a number, an expression or a list of expressions",
        lambda value: _is_formula(value) or _are_texts(value),
    ),
}
