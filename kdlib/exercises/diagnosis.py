"""Which mistake is it? Answered from behaviour alone: outcomes on the probes, compared.

An *outcome table* maps the name of each probe to a plain value or a Failure. Given the tables of
the answer, of the reference and of every named wrong answer, the questions are, in this order:

1. Does the answer behave like a named wrong answer, on every probe?
2. ... or like the reference or a named wrong answer times a constant (a sign, another base)?
3. Does a symptom hold that the author wrote down as a rule?
4. Do the failing probes all point to one mistake?
5. ... or like two named wrong answers at once, if what each does to the result is multiplied?
6. The questions 1 and 2 again, without the probes that point somewhere: these test care with zeros
   or large numbers, and a second slip there should not hide the first.
7. Does one named wrong answer account for more of the failing probes than any other, and for at
   least half of them?
8. Otherwise: name the first failing probe, and what is observed there.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kdlib.exercises import values
from kdlib.exercises.base import Wrong
from kdlib.exercises.sandbox import Failure

Outcomes = dict[str, Any]


@dataclass(frozen=True)
class Probe:
    """One seeded input. points_to: the mistake that alone makes a good answer fail here."""

    name: str
    args: tuple
    measure: Callable | None = None
    points_to: str | None = None
    expected: str = ""


@dataclass(frozen=True)
class Symptom:
    """A rule over the answer's outcomes that gives a mistake away, whatever code made it."""

    wrong: Wrong
    holds: Callable[[Outcomes], bool]


@dataclass(frozen=True)
class Case:
    """All that is known about an exercise, and one answer's outcomes."""

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

    def alike(self, a: Outcomes, b: Outcomes, name: str) -> bool:
        x, y = a[name], b[name]
        if isinstance(x, Failure) or isinstance(y, Failure):
            return isinstance(x, Failure) and isinstance(y, Failure) and x.kind == y.kind
        return values.same(x, y, self.rtol, self.atol)


@dataclass(frozen=True)
class Finding:
    """A wrong answer without a name."""

    seen: str
    expected: str


def diagnose(case: Case) -> Wrong | Finding | None:
    """None for a right answer."""
    if not case.failing:
        return None
    for question in (exact, _scaled, _symptom, _pointed, _two_at_once, _ordinary, _majority):
        if (found := question(case)) is not None:
            return found
    return _unnamed(case)


def exact(case: Case) -> Wrong | None:
    """The named wrong answer that behaves the same on every probe."""
    for wrong, outcomes in case.wrongs:
        if all(case.alike(case.seen, outcomes, name) for name in case.right):
            return wrong
    return None


def _scaled(case: Case) -> Wrong | Finding | None:
    factor = _common_factor(case.seen, case.right, case.rtol)
    if factor is not None:
        return _reading_of(factor)
    for wrong, outcomes in case.wrongs:
        only_a_scale = _common_factor(outcomes, case.right, case.rtol) is not None
        if not only_a_scale and _common_factor(case.seen, outcomes, case.rtol) is not None:
            return wrong
    return None


def _reading_of(factor: float) -> Wrong | Finding | None:
    def near(target: float) -> bool:
        return math.isclose(factor, target, rel_tol=1e-3)

    if near(-1):
        seen = "every result has the right size and the wrong sign"
        return Wrong("sign-flipped", seen, "a sign that makes smaller values better for a loss")
    if any(near(base) for base in (1 / math.log(2), math.log(2), 1 / math.log(10))):
        seen = f"every result is {factor:.3f} times what it should be: a logarithm of another base"
        return Wrong("nats-for-bits", seen, "natural logarithms, so that the result is in nats")
    size = f"{factor:.3g} times what it should be, by the same factor on all of them"
    return Finding(f"on every probe the result is {size}", "no constant factor")


def _common_factor(a: Outcomes, b: Outcomes, rtol: float) -> float | None:
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
    factor = values.ratio(x[finite], y[finite], max(rtol, 1e-4))
    return None if factor is None or math.isclose(factor, 1, rel_tol=1e-4) else factor


def _parts(outcomes: Outcomes) -> list[np.ndarray]:
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


def _symptom(case: Case) -> Wrong | None:
    for symptom in case.symptoms:
        try:
            if symptom.holds(case.seen):
                return symptom.wrong
        except Exception:  # a rule meets a shape that it was not written for: it does not hold
            continue
    return None


def _pointed(case: Case) -> Wrong | None:
    pointing = {probe.name: probe for probe in case.probes if probe.points_to}
    targets = {pointing[name].points_to if name in pointing else None for name in case.failing}
    if len(targets) != 1 or None in targets or len(case.failing) == len(case.right):
        return None
    first = pointing[case.failing[0]]
    return Wrong(first.points_to, _seen_at(case, first.name), first.expected or case.purpose)


def _two_at_once(case: Case) -> Wrong | None:
    """seen = first * second / right, as for a missing factor and a reversed KL.

    That says nothing where a right result is 0, and probes that test care only are left out.
    """
    telling = [p.name for p in case.probes if not p.points_to and _nonzero(case.right[p.name])]
    if len(telling) < 3:
        return None
    for (a, first), (b, second) in itertools.combinations(case.wrongs, 2):
        if a.misconception == b.misconception:
            continue
        both = {name: _product(first[name], second[name], case.right[name]) for name in telling}
        if all(case.alike(case.seen, both, name) for name in telling):
            seen = f"two things at once: {a.seen}; and {b.seen}"
            return Wrong(a.misconception, seen, f"{a.expected}; and {b.expected}")
    return None


def _nonzero(value: Any) -> bool:
    return isinstance(value, np.ndarray) and bool((np.abs(value) > 1e-9).all())


def _product(first: Any, second: Any, right: np.ndarray) -> np.ndarray | None:
    if not all(isinstance(x, np.ndarray) and x.shape == right.shape for x in (first, second)):
        return None
    with np.errstate(all="ignore"):
        return np.asarray(first * second / right)


def _ordinary(case: Case) -> Wrong | Finding | None:
    kept = [probe.name for probe in case.probes if not probe.points_to]
    if len(kept) == len(case.probes):
        return None
    seen, right = ({name: table[name] for name in kept} for table in (case.seen, case.right))
    smaller = replace(case, seen=seen, right=right)
    if not smaller.failing:
        return None
    return exact(smaller) or _scaled(smaller)


def _majority(case: Case) -> Wrong | None:
    """A deviation that several named wrong answers share says nothing: it counts for none."""
    counts = [
        sum(case.alike(case.seen, outcomes, name) for name in case.failing)
        for _, outcomes in case.wrongs
    ]
    best = max(counts, default=0)
    if best == 0 or 2 * best < len(case.failing) or counts.count(best) > 1:
        return None
    return case.wrongs[counts.index(best)][0]


def _unnamed(case: Case) -> Finding:
    name = case.failing[0]
    expected = next(p.expected for p in case.probes if p.name == name)
    return Finding(_seen_at(case, name), expected or case.purpose)


def _seen_at(case: Case, name: str) -> str:
    how = values.difference(case.seen[name], case.right[name])
    count = len(case.right) - len(case.failing)
    return f'on the probe "{name}" the result {how} (right on {count} of {len(case.right)} probes)'
