"""Exercises whose answer is a number, to a stated precision, however it is written.

The number is a formula over named quantities, as it is written down in data.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from kdlib.exercises.judging.verdict import Text, Verdict
from kdlib.exercises.judging.wrong import Wrong
from kdlib.exercises.kinds import card
from kdlib.exercises.kinds.base import Exercise
from kdlib.exercises.kinds.formulas import evaluate
from kdlib.exercises.kinds.number_reader import is_in_bits, read_number

BITS = 1 / math.log(2)  # a value in nats times this is in bits
LIKE_IT = "what this mistake gives"
NEAR = 0.01  # how far off a value may be that was rounded coarsely


Formula = str | float


def number(
    id: str,
    *,
    value: Formula,
    given: dict[str, Formula] | None = None,
    unit: str = "",
    **about: Any,
) -> NumberExercise:
    """Make an exercise that asks for a number.

    Args:
        value: how the number is computed, as in "(a - b) / a" or "-log(0.1)".
        given: the quantities that occur in it, each a number or a formula of those before it.
        unit: shown in the stub, such as "nats".
        about: what every exercise has, and decimals.
    """
    known: dict[str, float] = {}
    for name, formula in (given or {}).items():
        known[name] = _computed(formula, known)
    known["value"] = _computed(value, known)
    lines = [f"{name} = {formula}" for name, formula in (given or {}).items()]
    working = "\n".join([*lines, f"answer = {value}"])
    return NumberExercise(id=id, known=known, working=working, unit=unit, **about)


@dataclass(eq=False, kw_only=True, repr=False)
class NumberExercise(Exercise):
    """working: the computation, as it is shown.

    known: what a wrong value may be computed from, the right `value` included.
    """

    known: dict[str, float]
    working: str
    decimals: int
    unit: str

    kind = "number"

    def wrong(self, misconception: str, value: Formula, *, seen: str, expected: str) -> None:
        """Add a named wrong value: a number, or a formula of the given quantities and `value`."""
        self.wrongs.append(Wrong(misconception, seen, expected, _computed(value, self.known)))

    def judge(self, answer: Any) -> Verdict:
        if answer is None or answer is ...:
            return self.untouched()
        try:
            given = read_number(answer, whole=self.decimals == 0, about=self.prompt)
        except ValueError as error:
            return self.error(f"{error}.")
        if self.unit == "nats" and isinstance(answer, str) and is_in_bits(answer):
            return self.verdict_of(Wrong("nats-for-bits", "the value is in bits", "nats"))
        if self.close(given, self.value):
            if not self.decimals and self.value.is_integer() and not given.is_integer():
                return self.unknown("the value is no whole number", "a whole number")
            return self.correct()
        for recognise in (self._named, self._slip, self._second_slip, self._coarse):
            if (wrong := recognise(given)) is not None:
                return self.verdict_of(wrong)
        return self._unnamed(given)

    def _named(self, given: float) -> Wrong | None:
        """The named wrong value that it is, to the stated decimals."""
        meant = [w for w in self.wrongs if self.close(given, w.example)]
        return min(meant, key=lambda w: abs(given - w.example), default=None)

    def _slip(self, given: float) -> Wrong | None:
        """The right value with another sign, or in bits."""
        if self.close(given, -self.value):
            return Wrong("sign-flipped", "the sign is wrong", "the other sign")
        if self.unit == "nats" and self.close(given, self.value * BITS):
            return Wrong("nats-for-bits", "the value is in bits", "a value in nats")
        return None

    def _second_slip(self, given: float) -> Wrong | None:
        """A named wrong value with such a slip. What is seen of that one need not be seen here."""
        slips = [(-1.0, "minus"), (BITS if self.unit == "nats" else 100.0, "in another unit,")]
        for factor, words in slips:
            for wrong in self.wrongs:
                is_share = factor != 100 or 0 < wrong.example <= 1
                if wrong.example and is_share and self.close(given, factor * wrong.example):
                    return replace(wrong, seen=f"the value looks like {words} {LIKE_IT}")
        return None

    def _coarse(self, given: float) -> Wrong | None:
        """The one named wrong value that was rounded to fewer decimals than are asked for."""
        rounded = [
            w
            for w in self.wrongs
            if math.isclose(given, w.example, rel_tol=NEAR) and _is_rounding(given, w.example)
        ]
        if len(rounded) != 1 or _is_rounding(given, self.value):
            return None
        return replace(rounded[0], seen=f"the value looks like {LIKE_IT}")

    def close(self, given: float, target: float) -> bool:
        """Equal once rounded to the stated decimals; a half may be rounded either way."""
        if not (math.isfinite(given) and math.isfinite(target)):
            return given == target
        return abs(given - target) <= 0.5 * 10.0**-self.decimals * (1 + 1e-6)

    def _unnamed(self, given: float) -> Verdict:
        if math.isnan(given):
            return self.unknown("the value is not a number (NaN)", "a finite value")
        if 0 < self.value <= 1 and _is_rounding(given, 100 * self.value):
            return self.unknown("the value looks like a percentage", "a plain number")
        if abs(given - self.value) <= 0.5 * 10 ** (1 - self.decimals):
            return self.unknown(
                "the value is close, but too far off to be rounding", f"{self.decimals} decimals"
            )
        direction = "large" if given > self.value else "small"
        return self.unknown(f"the value is too {direction}", f"a value to {self.decimals} decimals")

    def right_answers(self) -> list[Any]:
        rounded = f"{self.value:.{self.decimals}f}"
        return [self.value, rounded, rounded.replace(".", ",")]

    @property
    def value(self) -> float:
        return self.known["value"]

    @property
    def answer_stub(self) -> str:
        places = f"to {self.decimals} decimals" if self.decimals else "a whole number"
        return f"answer = ...  # {', '.join(filter(None, (self.unit, places)))}"

    @property
    def answer_solved(self) -> str:
        return f"answer = {self.value:.{self.decimals}f}"

    def solution(self) -> Text:
        """The value and the computation that gives it."""
        return card.solution(self.answer_solved, self.explanation, self.working)


def _computed(formula: Formula, known: dict[str, float]) -> float:
    try:
        return evaluate(formula, known) if isinstance(formula, str) else float(formula)
    except ValueError as error:
        names = ", ".join(known) or "numbers alone"
        raise ValueError(f"{formula!r} cannot be computed from {names}: {error}") from error


def _is_rounding(given: float, value: float) -> bool:
    """Whether `given` is what `value` rounds to, at the decimals that `given` is written with."""
    if not (math.isfinite(given) and math.isfinite(value)):
        return False
    exponent = Decimal(repr(given)).normalize().as_tuple().exponent
    return abs(given - value) <= 0.5 * 10.0 ** min(int(exponent), 0) * (1 + 1e-6)
