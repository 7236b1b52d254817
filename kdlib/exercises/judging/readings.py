"""What a wrong result says by itself, in any exercise: by its factor, shape or origin."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from kdlib.exercises.judging.values import plain, ratio, same
from kdlib.exercises.judging.wrong import Wrong

Shape = tuple[int, ...]


def named_factor(factor: float) -> Wrong | None:
    """The mistake that multiplies every result by this factor, if it is a known one."""

    def near(target: float) -> bool:
        return math.isclose(factor, target, rel_tol=1e-3)

    if near(-1):
        seen = "every result has the right size and the wrong sign"
        return Wrong("sign-flipped", seen, "the other sign")
    if any(near(base) for base in (1 / math.log(2), math.log(2), 1 / math.log(10))):
        seen = f"every result is {factor:.3f} times what it should be"
        seen = f"{seen}, as with a logarithm of another base"
        return Wrong("nats-for-bits", seen, "natural logarithms, so that the result is in nats")
    return None


def common_factor(a: dict[str, Any], b: dict[str, Any], rtol: float) -> float | None:
    """The one constant c other than 1 with a = c * b on all probes; two numbers must show it."""
    parts_a, parts_b = _parts(a), _parts(b)
    if not parts_a or [x.shape for x in parts_a] != [y.shape for y in parts_b]:
        return None
    x, y = (np.concatenate([part.ravel() for part in parts]) for parts in (parts_a, parts_b))
    finite = np.isfinite(x) & np.isfinite(y)
    if not np.array_equal(np.abs(x[~finite]), np.abs(y[~finite]), equal_nan=True):
        return None
    if len(np.unique(np.round(y[finite & (y != 0)], 9))) < 2:
        return None
    factor = ratio(x[finite], y[finite], max(rtol, 1e-4))
    return None if factor is None or math.isclose(factor, 1, rel_tol=1e-4) else factor


def _parts(outcomes: dict[str, Any]) -> list[np.ndarray]:
    """All arrays of a table in a row; none where something in it is not an array."""
    arrays: list[np.ndarray] = []
    pending = list(outcomes.values())
    while pending:
        value = pending.pop(0)
        if isinstance(value, tuple):
            pending[:0] = value
        elif isinstance(value, np.ndarray):
            arrays.append(value.squeeze() if value.size == 1 else value)
        else:
            return []
    return arrays


# What follows takes the ordinary probes, the results seen and the right ones.


def _one_for_all(probes: list[Any], seen: dict[str, Any], right: dict[str, Any]) -> Wrong | None:
    shapes = [(s, rows) for s, rows in _shapes(probes, seen, right) if math.prod(rows[:-1]) > 1]
    if not shapes or any(s is None or math.prod(s) != 1 for s, _ in shapes):
        return None
    return Wrong("batch-for-row", "there is one number for all rows", "as many numbers as rows")


def _along_the_rows(probes: list[Any], seen: dict[str, Any], right: dict[str, Any]) -> Wrong | None:
    shapes = [(s, rows) for s, rows in _shapes(probes, seen, right) if len(rows) == 2]
    square = all(rows[0] == rows[1] for _, rows in shapes)
    if square or any(s != rows[1:] for s, rows in shapes):
        return None
    return Wrong("wrong-axis", "there is a number for each column", "a number for each row")


def _shapes(
    probes: list[Any], seen: dict[str, Any], right: dict[str, Any]
) -> list[tuple[Shape | None, Shape]]:
    """Shapes of a result and of an argument, where the right result has a number for each row.

    None at all if some right result has no such argument: then sizes agree by chance elsewhere.
    """
    found: list[tuple[Shape | None, Shape]] = []
    for probe in probes:
        shapes = [tuple(x.shape) for x in probe.args if isinstance(x, torch.Tensor) and x.ndim > 1]
        rows = [shape for shape in shapes if shape[:-1] == _shape(right[probe.name])]
        if rows:
            found.append((_shape(seen[probe.name]), rows[0]))
        elif _shape(right[probe.name]):
            return []
    return found


def _shape(result: Any) -> Shape | None:
    return result.shape if isinstance(result, np.ndarray) else None


def _an_argument(probes: list[Any], seen: dict[str, Any], right: dict[str, Any]) -> Wrong | None:
    for place in range(min(len(probe.args) for probe in probes)):
        given = [(probe.args[place], seen[probe.name]) for probe in probes]
        if all(_is_copy(result, argument) for argument, result in given):
            return Wrong("nothing-done", "an argument comes back as it is", "a result of its own")
    return None


def _is_copy(result: Any, argument: Any) -> bool:
    if not (isinstance(argument, torch.Tensor) and isinstance(result, np.ndarray)):
        return False
    return same(result, plain(argument), 0, 0)


READINGS: tuple[Callable[[list[Any], dict[str, Any], dict[str, Any]], Wrong | None], ...] = (
    _one_for_all,
    _along_the_rows,
    _an_argument,
)
