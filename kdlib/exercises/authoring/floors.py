"""Logarithms without a floor: a word that is nearly impossible costs what it costs."""

from __future__ import annotations

from typing import Any

import numpy as np

from kdlib.exercises.authoring.rules import same_on_ordinary
from kdlib.exercises.judging.case import Outcomes
from kdlib.exercises.kinds.functions import CodeExercise

UNLIKELY = -60.0  # a log-probability: far below 1e-12, and exp of it is an ordinary float32


def no_floor(exercise: CodeExercise, *args: Any, name: str = "a word of probability 1e-26") -> None:
    """Add a probe that holds UNLIKELY, and name the answers in which a floor stands below it.

    args: a probe's. With a floor, as in (q + 1e-8).log(), a finite result is nearer to 0.
    """
    exercise.probe(
        name,
        *args,
        points_to="floor-in-logarithm",
        expected="the logarithm as it is, however small the probability",
    )

    @exercise.symptom(
        "floor-in-logarithm",
        seen="right, but where a word is nearly impossible: there the result is too near to 0",
        expected="logarithms of the probabilities themselves, with nothing added",
    )
    def holds(results: Outcomes) -> bool:
        right, _ = exercise.known
        near = np.abs(results[name]) < np.abs(right[name]) * (1 + exercise.rtol)
        return (
            same_on_ordinary(exercise, results, right)
            and bool(near.all())
            and not np.allclose(results[name], right[name], rtol=10 * exercise.rtol)
        )
