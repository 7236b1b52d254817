"""Ready rules for `symptom`: a mistake that takes several forms is known by what they share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kdlib.exercises.judging.case import Outcomes, Probe
from kdlib.exercises.judging.sandbox import call
from kdlib.exercises.judging.values import part_of, plain, same
from kdlib.exercises.kinds.functions import CodeExercise

Rule = Callable[[Outcomes], bool]


def matches(
    exercise: CodeExercise, *functions: Callable[..., Any], part: int | None = None
) -> Rule:
    """The results, or one part of each, are what one of the functions gives, on every probe.

    Probes that test care only (`points_to`) are left out; on the others something must be wrong.
    """

    def asked(result: Any) -> Any:
        return result if part is None else part_of(result, part)

    def is_like(results: Outcomes, place: int) -> bool:
        return all(
            same(asked(results[p.name]), given(place, p), exercise.rtol, exercise.atol)
            for p in ordinary(exercise)
        )

    kept: dict[tuple[int, str], Any] = {}  # what a function gives on a probe never changes

    def given(place: int, probe: Probe) -> Any:
        key = place, probe.name
        if key not in kept:
            kept[key] = outcome(functions[place], probe)
        return kept[key]

    def holds(results: Outcomes) -> bool:
        if not any(is_like(results, place) for place in range(len(functions))):
            return False
        right, _ = exercise.known
        return not same_on_ordinary(exercise, results, right)

    return holds


def ordinary(exercise: CodeExercise) -> list[Probe]:
    """The probes that do not point to a mistake."""
    return [probe for probe in exercise.probes if not probe.points_to]


def outcome(function: Callable[..., Any], probe: Probe) -> Any:
    """What a function of the book's own gives on a probe; None where it fails."""
    if probe.measure:
        return call(function, probe.args, probe.measure).value
    try:
        return plain(function(*probe.args))
    except (ArithmeticError, IndexError, RuntimeError, TypeError, ValueError):
        return None


def same_on_ordinary(exercise: CodeExercise, a: Outcomes, b: Outcomes) -> bool:
    """Whether two tables agree on all ordinary probes."""
    names = [probe.name for probe in ordinary(exercise)]
    return all(same(a[name], b[name], exercise.rtol, exercise.atol) for name in names)


def rows_not_summing_to_1(results: Outcomes) -> bool:
    """Of results that should be distributions, some finite row sums to something else than 1."""
    sums = np.concatenate([np.ravel(result.sum(axis=-1)) for result in results.values()])
    return bool((np.isfinite(sums) & (np.abs(sums - 1) > 1e-3)).any())
