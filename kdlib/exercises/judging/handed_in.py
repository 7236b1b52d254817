"""The answer that was handed to a check, as JSON: so that a grader can judge it again.

A letter, a number, an order and the blanks of a derivation can be written so. A function cannot.
"""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import torch

LONGEST = 20_000  # characters; no answer that is judged again is as long


def handed_in(answer: Any) -> dict[str, Any]:
    """What a line of verdicts holds of an answer: {"given": ...}, or nothing if it is no JSON."""
    try:
        given = _as_json(answer)
        if given is None or len(json.dumps(given)) > LONGEST:
            return {}
    except (TypeError, ValueError, RecursionError, RuntimeError):
        return {}
    return {"given": given}


def read_back(given: Any) -> Any:
    """The answer behind `given`; a blank that was left open is None, and a key may be a number."""
    if isinstance(given, dict):
        return {int(k) if k.isdecimal() else k: read_back(item) for k, item in given.items()}
    return [read_back(item) for item in given] if isinstance(given, list) else given


def _as_json(value: Any) -> Any:
    if value is None or value is ...:
        return None
    if isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (torch.Tensor, np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [_as_json(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _as_json(item) for key, item in value.items()}
    raise TypeError(f"{type(value).__name__} is no JSON")
