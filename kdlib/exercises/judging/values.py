"""What an answer returned, made plain: so that a tensor, a float and a list can be compared.

Plain values are float64 numpy arrays, strings, None, and tuples or dicts of plain values.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

SCALARS = (bool, int, float, np.number, np.bool_)


class WrongType(TypeError):
    """A value that cannot be compared. The message says what was expected instead."""


def plain(value: Any) -> Any:
    """The plain twin of `value`, sharing no memory with it."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, torch.Tensor):
        value = (
            value.detach().to("cpu").numpy(force=True)
            if value.dtype != torch.bfloat16
            else (value.detach().float().cpu().numpy())
        )
    if isinstance(value, (np.ndarray, *SCALARS)):
        return _real_array(value)
    if isinstance(value, (list, tuple)):
        return _plain_sequence(value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    raise WrongType(f"a {type(value).__name__}; a tensor, a number or a list was expected")


def _real_array(value: Any) -> np.ndarray:
    array = np.array(value)
    if array.dtype.kind not in "biuf":
        raise WrongType(f"an array of {array.dtype}; real numbers were expected")
    return array.astype(np.float64)


def _plain_sequence(value: list[Any] | tuple[Any, ...]) -> Any:
    """A list of numbers (nested or not) is an array; any other list is a tuple."""
    items = tuple(plain(item) for item in value)
    arrays = all(isinstance(item, np.ndarray) for item in items)
    if items and arrays and len({item.shape for item in items}) == 1:
        return np.stack(items)
    return items


def same(a: Any, b: Any, rtol: float, atol: float) -> bool:
    """Whether two plain values mean the same. A number may come as an array of one element."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        if a.shape != b.shape and not a.size == b.size == 1:
            return False
        return np.allclose(a.ravel(), b.ravel(), rtol=rtol, atol=atol, equal_nan=True)
    if isinstance(a, str) and isinstance(b, str):
        return a == b
    a, b = _as_tuple(a), _as_tuple(b)
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(same(x, y, rtol, atol) for x, y in zip(a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k], rtol, atol) for k in a)
    return a is None and b is None


def _as_tuple(value: Any) -> Any:
    """An array beside a tuple is read as the tuple of its rows."""
    if isinstance(value, np.ndarray) and value.ndim:
        return tuple(np.asarray(row) for row in value)
    return value


def part_of(value: Any, part: int) -> Any:
    """One part of a plain value that has several; it is plain too, also if it is one number."""
    one = value[part]
    return np.asarray(one) if isinstance(one, np.generic) else one


def ratio(a: Any, b: Any, rtol: float) -> float | None:
    """The constant c with a = c * b, over all elements; None if there is none (or b is 0)."""
    if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)) or a.size != b.size:
        return None
    a, b = a.ravel(), b.ravel()
    if not (np.isfinite(a).all() and np.isfinite(b).all()) or not np.abs(b).max(initial=0) > 1e-9:
        return None
    c = float(a @ b / (b @ b))
    return c if c and np.allclose(a, c * b, rtol=rtol, atol=rtol * abs(c)) else None


def difference(seen: Any, wanted: Any) -> str:
    """In words, as a property: how `seen` differs from `wanted`. The wanted value is not told."""
    if isinstance(wanted, dict) and isinstance(seen, dict) and seen.keys() == wanted.keys():
        return _first_difference(seen, wanted, "has an entry {!r} that ")
    if (
        isinstance(wanted, tuple)
        and isinstance(seen, (tuple, np.ndarray))
        and len(seen) == len(wanted)
    ):
        parts, numbered = tuple(_as_tuple(seen)), dict(enumerate(wanted, start=1))
        return _first_difference(
            dict(enumerate(parts, start=1)), numbered, "has a part number {} that "
        )
    if not (isinstance(seen, np.ndarray) and isinstance(wanted, np.ndarray)):
        if isinstance(seen, str) and isinstance(wanted, str):
            return _textual_difference(seen, wanted)
        if type(seen) is type(wanted):
            return "has another number of parts than it should"
        return f"is {_kind(seen)}, where {_kind(wanted)} is expected"
    if seen.shape != wanted.shape and not seen.size == wanted.size == 1:
        return f"has shape {seen.shape}, where {wanted.shape} is expected"
    return _numeric_difference(seen.ravel(), wanted.ravel())


def _first_difference(seen: dict[Any, Any], wanted: dict[Any, Any], label: str) -> str:
    for key, value in wanted.items():
        if not same(seen[key], value, 1e-4, 1e-6):
            return label.format(key) + difference(seen[key], value)
    return "differs"


def _textual_difference(seen: str, wanted: str) -> str:
    if "".join(seen.split()) == "".join(wanted.split()):
        return "is right but for its spaces"
    return "is another text than it should be"


def _kind(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return "a number" if value.ndim == 0 else f"an array of shape {value.shape}"
    if isinstance(value, tuple):
        return f"a collection of {len(value)}"
    return {str: "text", dict: "a dictionary", type(None): "None"}[type(value)]


def _numeric_difference(seen: np.ndarray, wanted: np.ndarray) -> str:
    if np.isnan(seen).any() and not np.isnan(wanted).any():
        return "contains NaN"
    if np.isinf(seen).any() and not np.isinf(wanted).any():
        return "is infinite, where a finite number is expected"
    if np.isinf(wanted).any() and not np.isinf(seen).any():
        return "is finite, where an infinite value is expected"
    if (factor := ratio(seen, wanted, 1e-3)) is not None:
        return _factor_in_words(factor)
    if (seen < 0).any() and (wanted >= 0).all():
        return "is negative, where nothing negative is expected"
    if (seen > wanted + 1e-9).all():
        return "is too large"
    if (seen < wanted - 1e-9).all():
        return "is too small"
    return "has wrong values"


def _factor_in_words(factor: float) -> str:
    sign = "has the wrong sign" if factor < 0 else ""
    if math.isclose(abs(factor), 1, rel_tol=2e-3):
        return sign or "is slightly off"
    times, how = (factor, "large") if abs(factor) > 1 else (1 / factor, "small")
    size = f"is {abs(times):.3g} times too {how}"
    return f"{sign} and {size}" if sign else size
