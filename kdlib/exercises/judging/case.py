"""All that is known about an exercise and one answer, and the simplest questions about the two.

An *outcome table* maps the name of each probe to a plain value or a Failure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from kdlib.exercises.judging.readings import READINGS, common_factor, named_factor
from kdlib.exercises.judging.sandbox import Failure
from kdlib.exercises.judging.values import same
from kdlib.exercises.judging.wrong import Wrong

Outcomes = dict[str, Any]


@dataclass(frozen=True)
class Probe:
    """One seeded input. points_to: the mistake that alone makes a good answer fail here."""

    name: str
    args: tuple[Any, ...]
    measure: Callable[..., Any] | None = None
    points_to: str | None = None
    expected: str = ""


@dataclass(frozen=True)
class Symptom:
    """A rule over the answer's outcomes that gives a mistake away, whatever code made it."""

    wrong: Wrong
    holds: Callable[[Outcomes], bool]


@dataclass(frozen=True)
class Finding:
    """A wrong answer without a name."""

    seen: str
    expected: str


@dataclass(frozen=True)
class Case:
    """The outcomes of an answer, of the reference and of every named wrong answer."""

    seen: Outcomes
    right: Outcomes
    wrongs: list[tuple[Wrong, Outcomes]]
    symptoms: list[Symptom]
    probes: list[Probe]
    rtol: float
    atol: float
    purpose: str  # what a right answer does, in one sentence

    failing: list[str] = field(init=False)

    def __post_init__(self) -> None:
        failing = [name for name in self.right if not self.alike(self.seen, self.right, name)]
        object.__setattr__(self, "failing", failing)

    def alike(self, a: Outcomes, b: Outcomes, *names: str) -> bool:
        """Whether two tables agree on all probes of these names."""
        return all(self._same(a[name], b[name]) for name in names)

    def _same(self, x: Any, y: Any) -> bool:
        if isinstance(x, Failure) or isinstance(y, Failure):
            return isinstance(x, Failure) and isinstance(y, Failure) and x.kind == y.kind
        return same(x, y, self.rtol, self.atol)

    def ordinary(self) -> list[str]:
        """The names of the probes that do not point to a mistake."""
        return [probe.name for probe in self.probes if not probe.points_to]

    def only(self, names: list[str]) -> Case:
        """The case as if there were no other probes."""
        seen, right = ({name: table[name] for name in names} for table in (self.seen, self.right))
        return replace(self, seen=seen, right=right)


def exact(case: Case) -> Wrong | None:
    """The named wrong answer that behaves the same on every probe."""
    for wrong, outcomes in case.wrongs:
        if case.alike(case.seen, outcomes, *case.right):
            return wrong
    return None


def scaled(case: Case) -> Wrong | Finding | None:
    """The right results times a constant: a sign, another base, or whatever factor it is."""
    factor = common_factor(case.seen, case.right, case.rtol)
    if factor is None:
        return None
    size = f"{times(factor)} what it should be, by the same factor on all of them"
    unnamed = Finding(f"on every probe the result is {size}", "no constant factor")
    return named_factor(factor) or unnamed


def times(factor: float) -> str:
    """How often: "3 times", and never "1 times"."""
    rounded = f"{factor:.3g}"
    return f"{factor:.6g} times" if rounded in ("1", "-1") else f"{rounded} times"


def scaled_mistake(case: Case) -> Wrong | None:
    """The named wrong answer whose results these are times a constant.

    What is seen of that one need not be true of this one: only the factor is told.
    """
    for wrong, outcomes in case.wrongs:
        if common_factor(outcomes, case.right, case.rtol) is not None:
            continue
        if (factor := common_factor(case.seen, outcomes, case.rtol)) is not None:
            return replace(wrong, seen=f"every result is {times(factor)} what this mistake gives")
    return None


def by_itself(case: Case) -> Wrong | None:
    """What the shapes say, or an argument that comes back."""
    plain = [probe for probe in case.probes if not probe.points_to and probe.measure is None]
    for reading in READINGS:
        if plain and (found := reading(plain, case.seen, case.right)) is not None:
            return found
    return None
