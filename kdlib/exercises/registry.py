"""All exercises of the book: an exercise belongs to it by being imported in its chapter."""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.util
from types import MappingProxyType

from kdlib.exercises.kinds.base import Exercise

CHAPTERS = tuple(range(1, 11))
QUESTIONS = tuple(f"Q{number:02}" for number in range(1, 30))


@functools.cache
def exercises() -> MappingProxyType[str, Exercise]:
    """Every exercise by id, in the order of the book. ValueError if two share an id."""
    found: dict[str, Exercise] = {}
    for in_chapter in chapters().values():
        for exercise in in_chapter:
            if exercise.id in found:
                raise ValueError(f"two exercises have the id {exercise.id!r}")
            found[exercise.id] = exercise
    return MappingProxyType(found)


@functools.cache
def chapters() -> MappingProxyType[int, tuple[Exercise, ...]]:
    """The exercises of every chapter that has a package, in the order of its imports."""
    return MappingProxyType({n: _of(name) for n in CHAPTERS if (name := _module(n)) is not None})


def exercise(id: str) -> Exercise:
    """The exercise of that id. ValueError names similar ones."""
    if id not in exercises():
        near = ", ".join(difflib.get_close_matches(str(id), exercises())) or "none is similar"
        raise ValueError(f"there is no exercise {id!r}; similar: {near}")
    return exercises()[id]


def coverage() -> dict[str, tuple[str, ...]]:
    """For every source question, the ids of the exercises that ask it."""
    return {
        question: tuple(e.id for e in exercises().values() if question in e.source)
        for question in QUESTIONS
    }


def _module(chapter: int) -> str | None:
    name = f"kdlib.exercises.chapter_{chapter:02}"
    return name if importlib.util.find_spec(name) else None


def _of(module: str) -> tuple[Exercise, ...]:
    return tuple(
        v for v in vars(importlib.import_module(module)).values() if isinstance(v, Exercise)
    )
