"""Exercises whose answer is a number, to a stated precision, however it is written."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from kdlib.exercises.judging.values import WrongType, plain
from kdlib.exercises.judging.verdict import CORRECT, ERROR, Text, Verdict
from kdlib.exercises.judging.wrong import Wrong
from kdlib.exercises.kinds.base import Exercise, id_of
from kdlib.exercises.kinds.stubs import definition

BITS = 1 / math.log(2)  # a value in nats times this is in bits


def read_number(answer: Any, whole: bool = False) -> float:
    """A number from a number, a tensor of one element, or text: "0.5", "0,5", "1/3", "26.8e-3".

    A single comma is a decimal comma, unless a whole number is wanted: then "1,200" is 1200.
    ValueError says what cannot be read.
    """
    if isinstance(answer, str):
        return _from_text(answer, whole)
    if isinstance(answer, Fraction):
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


def _from_text(text: str, whole: bool) -> float:
    cleaned = text.strip().replace("−", "-").removesuffix("nats").strip()
    if re.fullmatch(r"[+-]?[1-9]\d{0,2}(,\d{3})+", cleaned) and (whole or cleaned.count(",") > 1):
        cleaned = cleaned.replace(",", "")
    if "," in cleaned and "." in cleaned:
        raise ValueError(f"{text!r} has a comma and a point; write only one of them")
    percent = cleaned.endswith("%")
    top, *bottom = cleaned.removesuffix("%").replace(",", ".").split("/")
    try:
        value = float(top)
        for part in bottom[:1]:
            value /= float(part)
    except (ValueError, ZeroDivisionError):
        raise ValueError(
            f"{text!r} is no number that can be read; write for example 0.25"
        ) from None
    if len(bottom) > 1:
        raise ValueError(f"{text!r} has two fraction bars")
    return value / 100 if percent else value


def number(
    *,
    source: tuple[str, ...],
    difficulty: int,
    minutes: int,
    decimals: int,
    prompt: str,
    hints: tuple[str, ...],
    unit: str = "",
    explanation: str = "",
) -> Callable[[Callable[[], float]], NumberExercise]:
    """Make the decorated function, which computes the number, an exercise."""

    def make(reference: Callable[[], float]) -> NumberExercise:
        return NumberExercise(
            id=id_of(reference),
            reference=reference,
            decimals=decimals,
            unit=unit,
            source=source,
            difficulty=difficulty,
            minutes=minutes,
            prompt=prompt,
            hints=hints,
            explanation=explanation,
        )

    return make


@dataclass(eq=False, kw_only=True, repr=False)
class NumberExercise(Exercise):
    reference: Callable[[], float]
    decimals: int
    unit: str

    kind = "number"

    def wrong(self, misconception: str, value: float, *, seen: str, expected: str) -> None:
        """Add a named wrong value."""
        self.wrongs.append(Wrong(misconception, seen, expected, float(value)))

    def judge(self, answer: Any) -> Verdict:
        if answer is None or answer is ...:
            return self.untouched()
        try:
            given = read_number(answer, whole=self.decimals == 0)
        except ValueError as error:
            return Verdict(self.id, ERROR, note=f"{error}.")
        if self.close(given, self.value):
            return Verdict(self.id, CORRECT, note=self.explanation)
        if (wrong := self._nearest(given)) is not None:
            return self.verdict_of(wrong)
        return self._unnamed(given)

    def _nearest(self, given: float) -> Wrong | None:
        """The named wrong value that was meant, rounded in its own way, or with a second slip."""
        for value in (given, -given, given / BITS):
            meant = [
                w
                for w in self.wrongs
                if self.close(value, w.example) or math.isclose(value, w.example, rel_tol=0.01)
            ]
            if meant:
                return min(meant, key=lambda w: abs(value - w.example))
        return None

    def close(self, given: float, target: float) -> bool:
        """Equal once rounded to the stated decimals; a half may be rounded either way."""
        if not (math.isfinite(given) and math.isfinite(target)):
            return given == target
        return abs(given - target) <= 0.5 * 10.0**-self.decimals * (1 + 1e-6)

    def _unnamed(self, given: float) -> Verdict:
        if math.isnan(given):
            return self.unknown("the value is not a number (NaN)", "a finite value")
        if self.close(given, -self.value):
            return self.verdict_of(Wrong("sign-flipped", "the sign is wrong", "the other sign"))
        if self.unit == "nats" and self.close(given, self.value * BITS):
            wrong = Wrong("nats-for-bits", "the value is in bits", "a value in nats")
            return self.verdict_of(wrong)
        if self.close(given, 100 * self.value):
            return self.unknown("the value is a percentage", "a plain number")
        if abs(given - self.value) <= 0.5 * 10 ** (1 - self.decimals):
            return self.unknown(
                "the value is close, but too far off to be rounding", f"{self.decimals} decimals"
            )
        direction = "large" if given > self.value else "small"
        return self.unknown(f"the value is too {direction}", f"a value to {self.decimals} decimals")

    def right_answers(self) -> list[Any]:
        rounded = f"{self.value:.{self.decimals}f}"
        return [self.value, rounded, rounded.replace(".", ",")]

    @functools.cached_property
    def value(self) -> float:
        return float(self.reference())

    @property
    def answer_stub(self) -> str:
        places = f"to {self.decimals} decimals" if self.decimals else "a whole number"
        return f"answer = ...  # {', '.join(filter(None, (self.unit, places)))}"

    @property
    def answer_solved(self) -> str:
        return f"answer = {self.value:.{self.decimals}f}"

    def solution(self) -> Text:
        """The value and the computation that gives it."""
        text = super().solution()
        return type(text)(f"{text}\n\n{definition(self.reference)}")
