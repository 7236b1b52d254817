"""The value of a formula as a reader writes it, and whether two formulas are the same function."""

from __future__ import annotations

import math
import random

from kdlib.exercises.kinds.formula_reader import Formula, readings

POINTS = 4  # random places at which two formulas are compared
TRIES = 100  # places that are looked at to find these
SEED, BETWEEN = 0, (0.2, 0.9)  # of these places


class Undefined(ValueError):
    """The formula can be read and has no value, such as the logarithm of a negative number."""


def evaluate(text: str, values: dict[str, float]) -> float:
    """The value of a formula. ValueError where it cannot be read, or has no value."""
    return _value(readings(text, tuple(values))[0], values)


def _value(formula: Formula, values: dict[str, float]) -> float:
    try:
        value = float(formula(values))
    except (ArithmeticError, ValueError, TypeError, RecursionError) as error:
        raise Undefined("it has no value") from error
    if not math.isfinite(value):
        raise Undefined("it has no value")
    return value


def is_formula(text: str, symbols: tuple[str, ...]) -> bool:
    """Whether it can be read, with a value or without one."""
    try:
        readings(text, symbols)
    except ValueError:
        return False
    return True


def same_formula(a: str, b: str, symbols: tuple[str, ...]) -> bool:
    """Whether two formulas agree at seeded random places. ValueError where one cannot be read.

    Symbols stand for numbers between 0.2 and 0.9, so that they may be probabilities. Places at
    which one of the formulas has no value are left out; Undefined where that leaves none.
    """
    first, second = readings(a, symbols), readings(b, symbols)
    results = [_agree(x, second[0], symbols) for x in first]
    if all(result is None for result in results):
        raise Undefined("the formulas have no value at the same place")
    return any(results)


def _agree(a: Formula, b: Formula, symbols: tuple[str, ...]) -> bool | None:
    """None where there is no place for a comparison."""
    places, compared = random.Random(SEED), 0
    for _ in range(TRIES):
        values = {symbol: places.uniform(*BETWEEN) for symbol in symbols}
        try:
            x, y = _value(a, values), _value(b, values)
        except Undefined:
            continue
        if not math.isclose(x, y, rel_tol=1e-6, abs_tol=1e-9):
            return False
        compared += 1
        if compared == POINTS:
            return True
    return True if compared else None
