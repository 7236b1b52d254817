"""An answer with switches: each mistake is a switch, and two mistakes at once are known as well."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from kdlib.exercises.authoring.rules import matches, same_on_ordinary
from kdlib.exercises.judging.case import Outcomes
from kdlib.exercises.kinds.functions import CodeExercise

Answer = Callable[..., Any]
Row = tuple[str, str, str, dict[str, Any]]


def name_switches(exercise: CodeExercise, build: Callable[..., Answer], *rows: Row) -> None:
    """Name wrong answers in a table of rows (misconception, seen, expected, options).

    build(**options) is the answer with these options; build() is right. Two rows that set different
    options make an answer with both mistakes; it gets the name of the first, if an ordinary probe
    shows each of the two.
    """
    for misconception, seen, expected, options in rows:
        exercise.wrong(misconception, seen=seen, expected=expected)(build(**options))
    for a, b in itertools.combinations(rows, 2):
        if not a[3].keys() & b[3].keys():
            _name_both(exercise, build, a, b)


def _name_both(exercise: CodeExercise, build: Callable[..., Answer], a: Row, b: Row) -> None:
    (name, seen, expected, one), (_, also_seen, also_expected, two) = a, b
    is_both = matches(exercise, build(**one, **two))

    def holds(results: Outcomes) -> bool:
        if not is_both(results):
            return False
        right, wrongs = exercise.known
        alone = [outcomes for wrong, outcomes in wrongs if wrong.seen in (seen, also_seen)]
        return not any(same_on_ordinary(exercise, outcomes, right) for outcomes in alone)

    exercise.symptom(
        name,
        seen=f"two things at once: {seen}; and {also_seen}",
        expected=f"{expected}; and {also_expected}",
    )(holds)
