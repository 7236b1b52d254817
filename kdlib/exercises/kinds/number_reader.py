"""Read a number however it is written: 0.5, "0,5", "1/3", "ln(10)", "12.5 %", "3 times"."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from kdlib.exercises.judging.values import WrongType, plain
from kdlib.exercises.kinds.formulas import evaluate
from kdlib.exercises.kinds.spellings import alone, bare, shown

IN_FRONT = re.compile(r"^(?:(?:[a-z_]\w*\s*)?[=≈~]|about\b|approx(?:imately|\.)?)\s*", re.I)
PERCENT = re.compile(r"\s*(?:%|per\s?cent)$", re.I)
BITS = re.compile(r"\bbits?\b|(?<=\d)bits?\b", re.I)
UNIT = re.compile(r"(?<=[\d.)])\s*\(?([a-z×][a-z /×]*)\)?$", re.I)  # the words behind a number
UNITS = {"nat", "nats", "times", "x", "×", "bit", "bits", "per"}
SCALES = {"hundred", "thousand", "million", "billion", "percent", "e"}  # these change the number


def read_number(answer: Any, whole: bool = False, about: str = "") -> float:
    """A number from a number, a tensor of one element, or text. ValueError says what is wrong.

    A single comma is a decimal comma, unless a whole number is wanted: then "1,200" is 1200.
    Behind the number may stand its unit, or words of the text `about`.
    """
    answer = alone(answer)
    if isinstance(answer, str):
        return _from_text(answer, whole, about)
    if isinstance(answer, (Fraction, Decimal)):
        return float(answer)
    if isinstance(answer, (bool, np.bool_)):
        raise ValueError(f"{answer} is no number")
    try:
        array = plain(answer)
    except WrongType as error:
        raise ValueError(f"a number is expected, this is {error}") from error
    if not isinstance(array, np.ndarray) or array.size != 1:
        raise ValueError("one number is expected, this is something else")
    return float(array.ravel()[0])


def is_in_bits(text: str) -> bool:
    """Whether bits are given as the unit."""
    return BITS.search(text) is not None


def _from_text(text: str, whole: bool, about: str) -> float:
    cleaned = _without_unit(IN_FRONT.sub("", bare(text)), about)
    is_percentage = PERCENT.search(cleaned) is not None
    cleaned = PERCENT.sub("", cleaned).replace("−", "-").replace("∞", "inf")
    cleaned = re.sub(r"(?<=\d)[\u2009\u202f\u00a0' ](?=\d{3}\b)", "", cleaned)
    if re.fullmatch(r"[+-]?[1-9]\d{0,2}(,\d{3})+", cleaned) and (whole or cleaned.count(",") > 1):
        cleaned = cleaned.replace(",", "")
    if "," in cleaned and "." in re.sub(r"[a-z]\w*\.", "", cleaned):
        raise ValueError(f"{shown(text)} has a comma and a point; write only one of them")
    cleaned = re.sub(r"(?<=\d),(?=\d)", ".", cleaned)
    if re.fullmatch(r"[^/()]*/[^/()]*/[^()]*", cleaned):
        raise ValueError(f"{shown(text)} has two fraction bars")
    try:
        value = float(cleaned)
    except ValueError:
        value = _computed(cleaned, text)
    return value / 100 if is_percentage else value


def _computed(cleaned: str, text: str) -> float:
    try:
        return evaluate(cleaned, {})
    except ValueError:
        message = f"{shown(text)} is no number that can be read; write for example 0.25"
        raise ValueError(message) from None


def _without_unit(text: str, about: str) -> str:
    found = UNIT.search(text)
    if found is None:
        return text
    words = set(re.findall(r"[a-z×]+", found[1].lower()))
    allowed = (UNITS | set(re.findall(r"[a-z]+", about.lower()))) - SCALES
    return text[: found.start()].strip() if words <= allowed else text
