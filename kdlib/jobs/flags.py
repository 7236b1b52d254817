"""Command-line flags into dataclasses, with tyro; what cannot be read becomes one clear line."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
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
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from kdlib.errors import UserError
from kdlib.files import expand_home
from kdlib.jobs.fields import Field, fields_of

T = TypeVar("T")
# How Python says that a word is not of a kind; the word itself follows.
PYTHONS_WORDS = {
    "invalid literal for int() with base 10: ": "a whole number",
    "could not convert string to float: ": "a number",
}


def parse(shape: type[T], arguments: list[str], default: T | None = None, prog: str = "kdlib") -> T:
    """An instance of `shape` from flags. Raises UserError, naming the field, for what does not fit."""

    def refuse(event: ParseErrorEvent) -> None:
        raise UserError(_explain(event, shape))

    if any(word.replace("_", "-").startswith("--tyro-") for word in arguments[:1]):
        raise UserError(_unknown(arguments[0], fields_of(shape)))
    defaults: dict[str, Any] = {} if default is None else {"default": default}
    # --flag for a bool, without a --no-flag twin.
    config = (tyro.conf.FlagCreatePairsOff,)
    with on_parse_error(refuse):
        parsed: T = tyro.cli(
            shape, args=arguments, prog=prog, config=config, registry=_registry(), **defaults
        )
    return parsed


def refuse_unknown(name: str, shape: type) -> None:
    """Refuse a dotted name that is neither a field of `shape` nor a short name of one."""
    fields = fields_of(shape)
    short = {alias.lstrip("-") for field in fields for alias in field.aliases}
    if name.replace("-", "_") not in {field.name for field in fields} and name not in short:
        raise UserError(_unknown(f"--{name}", fields))


def _registry() -> ConstructorRegistry:
    """How a flag's words become a path: ~ is the home folder, also where no shell has seen to it."""
    registry = ConstructorRegistry()

    @registry.primitive_rule
    def paths(about: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Path] | None:
        if about.type is not Path:
            return None
        return PrimitiveConstructorSpec(
            nargs=1,
            metavar="PATH",
            instance_from_str=lambda words: _path(words[0]),
            is_instance=lambda value: isinstance(value, Path),
            str_from_instance=lambda path: [str(path)],
        )

    return registry


def _path(word: str) -> Path:
    """The path that is meant. ValueError for one that is empty: it would be the current folder."""
    if not word:
        raise ValueError("it is empty; give a path")
    return expand_home(word)


def _explain(event: ParseErrorEvent, shape: type) -> str:
    """What is wrong, by the name of the field."""
    if isinstance(event, UnrecognizedArgs):
        return _unknown(event.tokens[0], fields_of(shape))
    if isinstance(event, MissingArgs):
        missing = ", ".join(each.arg.field.extern_name for each in event.missing_arguments)
        return f"missing: {missing}; see --help"
    name = _name_of(getattr(event, "argument", None))
    if isinstance(event, InstantiationFailure):
        return f"{name}: {_last(event.message)}" if name else _in_full(event.message)
    choices = getattr(event, "choices", ())
    return f"{name}: not one of {', '.join(choices)}" if choices else f"{name}: no usable value"


def _last(message: str) -> str:
    """What a value lacks, in our words; where it may also be None, tyro says why not that first."""
    message = message.rpartition("'>: ")[2] if "Got errors" in message else message
    for pythons, ours in PYTHONS_WORDS.items():
        if message.startswith(pythons):
            return f"{message.removeprefix(pythons)} is not {ours}"
    return message


def _in_full(message: str) -> str:
    """The message of a dataclass that has refused its values, with the place of that dataclass."""
    # It knows its own fields only: "steps: ..." of the teacher or of the student? The event does
    # not say it, but the error that tyro is handling does.
    place = getattr(sys.exception(), "arg", None)
    prefix = place.removeprefix("recipe.") if isinstance(place, str) and place != "recipe" else ""
    prefix = prefix.replace("-", "_")  # as a field, not as a flag
    return message if message.startswith(f"{prefix}.") or not prefix else f"{prefix}.{message}"


def _name_of(argument: Any) -> str:
    if argument is None:
        return ""
    return ".".join(part for part in (argument.extern_prefix, argument.field.extern_name) if part)


def _unknown(word: str, fields: Sequence[Field]) -> str:
    """The refusal of a word that is no field."""
    if not word.startswith("-"):
        return f"unexpected: {word}; a flag begins with --, and its value comes after it"
    name = word.lstrip("-").partition("=")[0]
    meant = _meant(name.replace("-", "_"), fields)
    hint = f"did you mean {' or '.join(meant)}?" if meant else "--help lists the fields"
    return f"unknown field: {name}; {hint}"


def _meant(name: str, fields: Sequence[Field]) -> list[str]:
    """The fields that may be meant: those that it abbreviates, else those with a name like it."""
    fields = [field for field in fields if not field.positional]
    # Most often it is the student that is meant.
    fields.sort(key=lambda field: not field.name.startswith("student."))
    if short := [field.flag for field in fields if _abbreviates(name, field)]:
        return short
    spellings: dict[str, list[str]] = {field.name: [field.name] for field in fields}
    for field in fields:
        for alias in field.aliases:
            spellings[alias.strip("-").replace("-", "_")] = [alias]
    for spell in (_leaf, _ends):
        for field in fields:
            if spell(field) != field.name:
                spellings.setdefault(spell(field), []).append(field.flag)
    close = difflib.get_close_matches(name, spellings, n=1)
    return spellings[close[0]] if close else []


def _abbreviates(name: str, field: Field) -> bool:
    """Whether a name is the end of a field's ("steps"), or the leaf's initials or beginning."""
    leaf = _leaf(field)
    initials = "".join(part[0] for part in leaf.split("_"))
    short = (len(name) > 1 and initials == name) or (len(name) > 2 and leaf.startswith(name))
    return field.name.endswith(f".{name}") or short


def _leaf(field: Field) -> str:
    """The last part of a field's name."""
    return field.name.rpartition(".")[2]


def _ends(field: Field) -> str:
    """Its first and its last part: "student.steps"."""
    return f"{field.name.partition('.')[0]}.{_leaf(field)}"
