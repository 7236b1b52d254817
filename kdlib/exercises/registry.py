"""All exercises of the book: those that a chapter's `exercises.toml` names, in that order."""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.util
from importlib import resources
from types import MappingProxyType

from kdlib.exercises.judging.surroundings import while_imported
from kdlib.exercises.kinds.base import Exercise
from kdlib.exercises.kinds.data import read_chapter

CHAPTERS = tuple(range(1, 14))
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
    """The exercises of every chapter, in their order."""
    with while_imported():
        return MappingProxyType({n: _of(f"kdlib.exercises.chapter_{n:02}") for n in CHAPTERS})


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


def _of(package: str) -> tuple[Exercise, ...]:
    """A chapter's exercises: its file has the order and the data, its modules have the code."""
    text = resources.files(package).joinpath("exercises.toml").read_text("utf-8")
    order, data = read_chapter(text, where=f"{package.rpartition('.')[2]}/exercises.toml")
    return tuple(data.get(id) or _in_code(package, id) for id in order)


def _in_code(package: str, id: str) -> Exercise:
    name = id.replace("-", "_")
    if importlib.util.find_spec(f"{package}.{name}") is None:
        raise ValueError(f"{package}: {id!r} is in `order`, with neither a table nor a {name}.py")
    exercise: Exercise = getattr(importlib.import_module(f"{package}.{name}"), name)
    return exercise
