"""Ready rules for `symptom`: a mistake that takes several forms is known by what they share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kdlib.exercises.diagnosis import Outcomes
from kdlib.exercises.functions import ATOL, RTOL, CodeExercise
from kdlib.exercises.values import plain, same

Rule = Callable[[Outcomes], bool]


def matches(exercise: CodeExercise, *functions: Callable, part: int | None = None) -> Rule:
    """The results, or one part of each, are those of one of the functions on every probe.

    Probes that test care only (`points_to`) are left out.
    """

    def holds(results: Outcomes) -> bool:
        probes = [probe for probe in exercise.probes if not probe.points_to]
        return any(
            all(
                same(_part(results[p.name], part), plain(function(*p.args)), RTOL, ATOL)
                for p in probes
            )
            for function in functions
        )

    return holds


def shaped(probe: str, *shape: int, part: int | None = None) -> Rule:
    """The result on the probe, or one part of it, has this shape; () is a single number."""

    def holds(results: Outcomes) -> bool:
        result = _part(results[probe], part)
        return isinstance(result, (np.ndarray, np.generic)) and result.shape == shape

    return holds


def _part(result: Any, part: int | None) -> Any:
    return result if part is None else result[part]
