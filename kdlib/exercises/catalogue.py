"""The catalogue of mistakes, read from `misconceptions.toml`: what each is, shows and needs."""

from __future__ import annotations

import difflib
import functools
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Any


@dataclass(frozen=True, repr=False)
class Misconception:
    """One mistake that people really make.

    name: in a few words. why: why it is made. sign: what one sees. do: what to do about it.
    read: chapters, as "04_kl_divergence" or, with a section, "04_kl_divergence#two-directions".
    heard: how people tell of it who do not know it yet; a symptom is found by these words too.
    """

    id: str
    name: str
    why: str
    sign: str
    do: str
    read: tuple[str, ...]
    heard: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "\n".join(
            (
                f"{self.name} ({self.id})",
                f"  Why:  {self.why}",
                f"  Sign: {self.sign}",
                f"  Do:   {self.do}",
                f"  Read: {', '.join(self.read)}",
            )
        )


@functools.cache
def misconceptions() -> dict[str, Misconception]:
    """The whole catalogue by id, in the order of the file."""
    text = resources.files("kdlib.exercises").joinpath("misconceptions.toml").read_text("utf-8")
    return {
        id: Misconception(id=id, **{name: _fixed(value) for name, value in entry.items()})
        for id, entry in tomllib.loads(text).items()
    }


def _fixed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def misconception(id: str) -> Misconception:
    """One entry. ValueError for an id that is not in the catalogue."""
    if id not in misconceptions():
        near = ", ".join(difflib.get_close_matches(id, misconceptions())) or "none is similar"
        raise ValueError(f"misconception {id!r} is not in misconceptions.toml; similar: {near}")
    return misconceptions()[id]
