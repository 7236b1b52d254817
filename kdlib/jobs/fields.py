"""The fields of a tree of dataclasses: what each is called, what it takes and what it means."""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import textwrap
import typing
from typing import Any, NamedTuple

from tyro.conf import Positional

# What tyro notes on the type of an argument without a flag.
POSITIONAL: Any = typing.get_args(Positional[Any])[1:]  # type: ignore[misc]


class Field(NamedTuple):
    """A leaf of a tree of dataclasses.

    Attributes:
        name: dotted, as in a recipe file, such as "student.training.batch".
        kind: its type.
        aliases: the short flags for it, such as "--text".
        positional: whether it is given without a flag.
        meaning: the docstring below it.
    """

    name: str
    kind: Any
    aliases: tuple[str, ...]
    positional: bool
    meaning: str

    @property
    def flag(self) -> str:
        """As it is written on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def choices(self) -> tuple[str, ...]:
        """The values that it can have, where its type lists them."""
        listed = typing.get_origin(self.kind) is typing.Literal
        return tuple(map(str, typing.get_args(self.kind))) if listed else ()


def fields_of(shape: type, prefix: str = "") -> list[Field]:
    """All leaves of a tree of dataclasses, in order.

    Args:
        shape: the dataclass at the root.
        prefix: what stands before the names, with its dot.
    """
    found = []
    meanings = meanings_of(shape)
    plain, annotated = (typing.get_type_hints(shape, include_extras=e) for e in (False, True))
    for field in dataclasses.fields(shape):
        name, kind = field.name, plain[field.name]
        if isinstance(kind, type) and dataclasses.is_dataclass(kind):
            # The recipe is the root of its own names, also among the options of a command.
            found += fields_of(kind, prefix if name == "recipe" else f"{prefix}{name}.")
        else:
            notes = typing.get_args(annotated[name])[1:] if kind != annotated[name] else ()
            aliases = [alias for note in notes for alias in getattr(note, "aliases", None) or ()]
            positional = any(note in POSITIONAL for note in notes)
            found.append(Field(prefix + name, kind, (*aliases,), positional, meanings[name]))
    return found


@functools.cache
def meanings_of(shape: type) -> dict[str, str]:
    """The docstring below each field of one dataclass, "" where there is none."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(shape))).body
    assert isinstance(body, ast.ClassDef)
    found = dict.fromkeys((field.name for field in dataclasses.fields(shape)), "")
    for statement, below in zip(body.body, body.body[1:]):
        match statement, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = inspect.cleandoc(text)
    return found


class Value(NamedTuple):
    """The value of a leaf.

    Attributes:
        name: dotted, as `Field.name`.
        value: what it is.
        default: what it is where nobody says anything.
    """

    name: str
    value: Any
    default: Any


def values_of(instance: Any, prefix: str = "") -> list[Value]:
    """The values of all leaves of a tree of dataclass instances."""
    found = []
    for field in dataclasses.fields(instance):
        name, value = prefix + field.name, getattr(instance, field.name)
        if dataclasses.is_dataclass(value):
            found += values_of(value, f"{name}.")
        else:
            found.append(Value(name, value, field.default))
    return found
