"""Values that no setting can have, whatever it means: refused before anything is made of them.

The dataclasses of a recipe know what their settings mean and check that. What stands here would
break torch, a tokenizer or a file name deep inside a run.
"""

from __future__ import annotations

import math
from typing import Any

from kdlib.errors import UserError
from kdlib.files import expand_home
from kdlib.jobs.fields import values_of

# An epoch's shuffle is drawn with a million times the seed, which torch wants to be below 2^63.
LARGEST_SEED = 2**43 - 1
LARGEST_COUNT = 2**31 - 1
LARGEST_VOCABULARY = 1_000_000  # the tokenizers library ends the process where memory runs out


def refuse_impossible(settings: Any) -> None:
    """Refuse values that nothing can work with.

    Args:
        settings: a tree of dataclasses.

    Raises:
        UserError: naming the field, for a number that is not finite or is beyond all bounds, and
            for a text that is empty, can be no file's name, or is not UTF-8.
    """
    for name, value, default in values_of(settings):
        fault = _fault(name, value, default)
        if fault:
            raise UserError(f"{name}: {fault}")


def _fault(name: str, value: Any, default: Any) -> str:
    """What is wrong with a value; "" for nothing."""
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, int):
        return _fault_of_number(name, value)
    if isinstance(value, float):
        return "" if math.isfinite(value) else f"{value} is not a finite number"
    if isinstance(value, str):
        return _fault_of_text(value, default == "", separates=name.endswith("separator"))
    return ""


def _fault_of_number(name: str, value: int) -> str:
    """What is wrong with a whole number; "" for nothing."""
    leaf = name.rpartition(".")[2]
    most = {"seed": LARGEST_SEED, "vocabulary": LARGEST_VOCABULARY}.get(leaf, LARGEST_COUNT)
    return "" if -most <= value <= most else f"{value} is too large; use {most:,} or less"


def _fault_of_text(text: str, may_be_empty: bool, separates: bool) -> str:
    """What is wrong with a text, a path or what separates documents; "" for nothing."""
    if not text.strip() and not (text and separates):  # a line's end does
        return "" if may_be_empty and not text else "it is empty; leave it out for the default"
    if "\0" in text:
        return "it holds a zero byte, which no file's name can"
    try:
        text.encode()
    except UnicodeEncodeError:
        return f"{ascii(text)} is not UTF-8, as a recipe has to be; rename the file"
    if text.startswith("~") and not separates:
        expand_home(text)
    return ""
