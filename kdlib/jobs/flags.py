"""Command-line flags into dataclasses, with tyro; what cannot be read becomes one clear line."""

from __future__ import annotations

import dataclasses
import difflib
import typing
from typing import Any, TypeVar

import tyro

# tyro keeps the hook in a private module; pyproject.toml holds tyro to the series that has it.
from tyro._errors import (
    InstantiationFailure,
    MissingArgs,
    ParseErrorEvent,
    UnrecognizedArgs,
    on_parse_error,
)

from kdlib.errors import UserError

T = TypeVar("T")


def parse(shape: type[T], arguments: list[str], default: T | None = None, prog: str = "kdlib") -> T:
    """An instance of `shape` from flags. Raises UserError, naming the field, for what does not fit."""

    def refuse(event: ParseErrorEvent) -> None:
        raise UserError(_explain(event, shape))

    defaults: dict[str, Any] = {} if default is None else {"default": default}
    # --flag for a bool, without a --no-flag twin.
    config = (tyro.conf.FlagCreatePairsOff,)
    with on_parse_error(refuse):
        parsed: T = tyro.cli(shape, args=arguments, prog=prog, config=config, **defaults)
    return parsed


def _explain(event: ParseErrorEvent, shape: type) -> str:
    if isinstance(event, UnrecognizedArgs):
        word = event.tokens[0].removeprefix("--")
        close = difflib.get_close_matches(word, field_names(shape), n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}?" if close else "--help lists the fields"
        return f"unknown field: {word}; {hint}"
    if isinstance(event, MissingArgs):
        missing = ", ".join(each.arg.field.extern_name for each in event.missing_arguments)
        return f"missing: {missing}; see --help"
    name = _name_of(getattr(event, "argument", None))
    if isinstance(event, InstantiationFailure):
        return f"{name}: {event.message}" if name else event.message
    choices = getattr(event, "choices", ())
    return f"{name}: not one of {', '.join(choices)}" if choices else f"{name}: no usable value"


def _name_of(argument: Any) -> str:
    if argument is None:
        return ""
    return ".".join(part for part in (argument.extern_prefix, argument.field.extern_name) if part)


def field_names(shape: type) -> list[str]:
    """The dotted names of all fields of a tree of dataclasses, as its flags are called."""
    names = []
    for name, kind in typing.get_type_hints(shape).items():
        if isinstance(kind, type) and dataclasses.is_dataclass(kind):
            prefix = "" if name == "recipe" else f"{name}."
            names += [prefix + below for below in field_names(kind)]
        else:
            names.append(name)
    return names
