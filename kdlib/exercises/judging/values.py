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
        has_no_twin = value.dtype == torch.bfloat16  # in numpy
        value = (value.float() if has_no_twin else value).numpy(force=True)
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


def stacked(value: Any) -> Any:
    """A list of rows as one tensor, with its gradient; anything else as it is."""
    if not isinstance(value, list) or not value:
        return value
    rows = [stacked(row) for row in value]
    tensors = all(isinstance(row, torch.Tensor) and row.ndim for row in rows)
    if not tensors or len({(row.shape, row.dtype) for row in rows}) > 1:
        return value
    return torch.stack(rows)


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
    place: list[str] = []
    while (parts := _parts_of_both(seen, wanted)) is not None:
        different = [name for name, (x, y) in parts.items() if not same(x, y, 1e-4, 1e-6)]
        if not different:
            return "differs"
        place.append(different[0])
        seen, wanted = parts[different[0]]
    how = _whole_difference(seen, wanted)
    if not place:
        return how
    *outer, last = place
    return "has " + "".join(f"in {name} " for name in outer) + f"{_article(last)} that {how}"


def _article(part: str) -> str:
    return f"an {part}" if part.startswith("entry") else f"a {part}"


def _parts_of_both(seen: Any, wanted: Any) -> dict[str, tuple[Any, Any]] | None:
    """What to call each part of two collections that have the same parts; None for others."""
    if isinstance(wanted, dict) and isinstance(seen, dict) and seen.keys() == wanted.keys():
        return {f"entry {key!r}": (seen[key], wanted[key]) for key in wanted}
    is_one = isinstance(seen, np.ndarray) and not seen.ndim
    if not isinstance(wanted, tuple) or not isinstance(seen, (tuple, np.ndarray)) or is_one:
        return None
    if len(seen) != len(wanted):
        return None
    pairs = zip(_as_tuple(seen), wanted)
    return {f"part number {place}": pair for place, pair in enumerate(pairs, start=1)}


def _whole_difference(seen: Any, wanted: Any) -> str:
    if not (isinstance(seen, np.ndarray) and isinstance(wanted, np.ndarray)):
        if isinstance(seen, str) and isinstance(wanted, str):
            return _textual_difference(seen, wanted)
        if type(seen) is type(wanted):
            return "has another number of parts than it should"
        return f"is {_kind(seen)}, where {_kind(wanted)} is expected"
    if seen.shape != wanted.shape and not seen.size == wanted.size == 1:
        return f"has shape {seen.shape}, where {wanted.shape} is expected"
    return _numeric_difference(seen.ravel(), wanted.ravel())


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
    how = "large" if abs(factor) > 1 else "small"
    times = max(abs(factor), 1 / abs(factor))
    size = f"{times:.3g} times" if times > 1.1 else f"{100 * abs(abs(factor) - 1):.2g} %"
    return f"{sign} and is {size} too {how}" if sign else f"is {size} too {how}"
