"""Which mistake is it? Answered from behaviour alone: outcomes on the probes, compared.

Given what the answer, the reference and every named wrong answer do on the probes, the questions
are, in this order:

1. Does the answer behave like a named wrong answer, on every probe?
2. ... or like the reference times a constant (a sign, another base)?
3. Does a symptom hold that the author wrote down as a rule? Are all parts right, in another order?
   Or is it a named wrong answer times a constant?
4. Does the result say it by itself: by its shape, or as an argument that comes back?
5. Do the failing probes all point to one mistake?
6. ... or like two named wrong answers at once, if what each does to the result is multiplied?
7. Where a result has several parts: the same for the first part that is wrong, without 6.
8. Likeness and constants again, without the probes that point somewhere: these test care with zeros
   or large numbers, and a second slip there should not hide the first.
9. Does one named wrong answer account for more of the failing probes than any other, and for at
   least half of them?
10. Otherwise: name the first failing probe, and what is observed there.

The `seen` of a named wrong answer is told only where this answer does the same on every probe that
is compared. From a likeness (a constant factor, one part, most of the failing probes) it takes the
name alone, with what is true of this answer.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np

from kdlib.exercises.judging.case import Case, Finding, by_itself, exact, scaled, scaled_mistake
from kdlib.exercises.judging.parts import in_part, reordered
from kdlib.exercises.judging.values import difference
from kdlib.exercises.judging.wrong import Wrong


def diagnose(case: Case) -> Wrong | Finding | None:
    """None for a right answer."""
    if not case.failing:
        return None
    for question in QUESTIONS:
        if (found := question(case)) is not None:
            return found
    return _unnamed(case)


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
    target = targets.pop() if len(targets) == 1 else None
    if target is None or len(case.failing) == len(case.right):
        return None
    first = pointing[case.failing[0]]
    return Wrong(target, _seen_at(case, first.name), first.expected or case.purpose)


def _two_at_once(case: Case) -> Wrong | None:
    """seen = first * second / right, as for a missing factor and a reversed KL.

    That says nothing where a right result is 0, and probes that test care only are left out.
    """
    telling = [name for name in case.ordinary() if _nonzero(case.right[name])]
    if len(telling) < 3:
        return None
    shown = [(w, o) for w, o in case.wrongs if not case.alike(o, case.right, *telling)]
    for (a, first), (b, second) in itertools.combinations(shown, 2):
        if a.misconception == b.misconception:
            continue
        both = {name: _product(first[name], second[name], case.right[name]) for name in telling}
        if case.alike(case.seen, both, *telling):
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


def _without_pointing(case: Case) -> Wrong | Finding | None:
    kept = case.ordinary()
    smaller = case.only(kept)
    if len(kept) == len(case.probes) or not smaller.failing:
        return None
    return exact(smaller) or scaled(smaller) or scaled_mistake(smaller)


def _majority(case: Case) -> Wrong | None:
    """A deviation that several named wrong answers share says nothing: it counts for none.

    What is seen of the one that is named need not be true of this answer, and is not told.
    """
    counts = [
        sum(case.alike(case.seen, outcomes, name) for name in case.failing)
        for _, outcomes in case.wrongs
    ]
    best = max(counts, default=0)
    if best == 0 or 2 * best < len(case.failing) or counts.count(best) > 1:
        return None
    seen = f"on {best} of the {len(case.failing)} probes that fail it is what this mistake gives"
    return replace(
        case.wrongs[counts.index(best)][0], seen=f"{_seen_at(case, case.failing[0])}; {seen}"
    )


def _unnamed(case: Case) -> Finding:
    name = case.failing[0]
    expected = next(p.expected for p in case.probes if p.name == name)
    return Finding(_seen_at(case, name), expected or case.purpose)


def _seen_at(case: Case, name: str) -> str:
    how = difference(case.seen[name], case.right[name])
    count = len(case.right) - len(case.failing)
    return f'on the probe "{name}" the result {how} (right on {count} of {len(case.right)} probes)'


QUESTIONS = (
    exact,
    scaled,
    _symptom,
    reordered,
    scaled_mistake,
    by_itself,
    _pointed,
    _two_at_once,
    in_part,
    _without_pointing,
    _majority,
)
