"""A recipe as a file to read and to change: every setting, with what it means as a comment."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterator
from typing import Any

import tomli_w

from kdlib.jobs.fields import fields_of, meanings_of
from kdlib.jobs.recipe import Recipe


def annotated_toml(recipe: Recipe) -> str:
    """A complete TOML file with the recipe's values; it loads to the same recipe.

    Args:
        recipe: what to write.
    """
    return "\n".join(_table(recipe, "")) + "\n"


def _table(settings: Any, name: str) -> Iterator[str]:
    """The lines of a dataclass: its own settings first, since a table ends where the next begins."""
    shape: type = type(settings)
    meanings = meanings_of(shape)
    choices = {field.name: field.choices for field in fields_of(shape)}
    tables = []
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if dataclasses.is_dataclass(value):
            tables.append(field.name)
            continue
        yield from _comment(meanings[field.name], choices[field.name])
        yield _line(field.name, value)
    for table in tables:
        value, full = getattr(settings, table), f"{name}.{table}".lstrip(".")
        about = meanings[table] or (type(value).__doc__ or "").partition("\n")[0]
        yield from ["", *_comment(about), f"[{full}]"]
        yield from _table(value, full)


def _comment(meaning: str, choices: tuple[str, ...] = ()) -> Iterator[str]:
    """What a setting means, and its choices where it has a list of them."""
    yield from (f"# {line}" for line in meaning.splitlines())
    if choices:
        values = f"One of {', '.join(choices)}."
        yield from textwrap.wrap(values, 100, initial_indent="# ", subsequent_indent="# ")


def _line(name: str, value: Any) -> str:
    """The setting; what is left open has no value in TOML, and is a comment."""
    return f"# {name} =" if value is None else tomli_w.dumps({name: value}).rstrip("\n")
