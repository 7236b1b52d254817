"""Results of several parts, such as (sum, count): which mistake explains the first wrong part?"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np

from kdlib.exercises.judging.case import (
    Case,
    Finding,
    Outcomes,
    by_itself,
    exact,
    scaled,
    scaled_mistake,
)
from kdlib.exercises.judging.values import part_of
from kdlib.exercises.judging.wrong import Wrong

MOST_PARTS = 4  # whose order is looked at


def in_part(case: Case) -> Wrong | None:
    """The named wrong answer that explains the first wrong part.

    One that is right where this answer is goes first. Of the others a match must be no accident: a
    count may be wrong in the same way for many reasons. What is seen of the known one may be in its
    other parts, so that only the part is told.
    """
    case = case.only(case.ordinary())
    wrong_parts = _wrong_parts(case, case.seen)
    if not wrong_parts:
        return None
    first = wrong_parts[0]
    alone = _of_part(case, case.seen, first)
    known = [(wrong, outcomes, _wrong_parts(case, outcomes)) for wrong, outcomes in case.wrongs]
    known = [(wrong, outcomes, there) for wrong, outcomes, there in known if first in there]
    near = [(w, _only(first, o)) for w, o, there in known if set(there) <= set(wrong_parts)]
    far = [(w, _only(first, o)) for w, o, there in known if set(there) - set(wrong_parts)]
    for wrongs in (near, far if _has_fractions(alone.seen) else []):
        alone = replace(alone, wrongs=wrongs)
        if (found := exact(alone)) is not None:
            seen = f"part number {first + 1} of the result is what this mistake gives"
            return replace(found, seen=seen)
        for question in (scaled, scaled_mistake, by_itself):
            if isinstance(like := question(alone), Wrong):
                return replace(like, seen=f"in part number {first + 1}, {like.seen}")
    return None


def reordered(case: Case) -> Finding | None:
    """Every part is right, and they stand in another order."""
    count = _part_count(case, case.right)
    if count is None or count > MOST_PARTS or _part_count(case, case.seen) != count:
        return None
    for order in itertools.permutations(range(count)):
        moved = {name: tuple(part_of(case.seen[name], i) for i in order) for name in case.right}
        if case.alike(moved, case.right, *case.right):
            return Finding("the parts of the result are right, in another order", case.purpose)
    return None


def _wrong_parts(case: Case, outcomes: Outcomes) -> list[int]:
    """The numbers of the parts that are wrong; none where the results do not have these parts."""
    count = _part_count(case, case.right)
    if count is None or _part_count(case, outcomes) != count:
        return []
    return [part for part in range(count) if _of_part(case, outcomes, part).failing]


def _part_count(case: Case, table: Outcomes) -> int | None:
    """The number of parts that every result has; None where there are none, or not as many."""
    counts = {_length(table[name]) for name in case.right}
    return counts.pop() if len(counts) == 1 and min(counts) > 1 else None


def _length(value: Any) -> int:
    if isinstance(value, tuple) or isinstance(value, np.ndarray) and value.ndim:
        return len(value)
    return 0


def _of_part(case: Case, outcomes: Outcomes, part: int) -> Case:
    seen = {name: outcomes[name] for name in case.right}
    return replace(case, seen=_only(part, seen), right=_only(part, case.right), wrongs=[])


def _only(part: int, table: Outcomes) -> Outcomes:
    return {name: part_of(value, part) for name, value in table.items() if _length(value) > part}


def _has_fractions(table: Outcomes) -> bool:
    return any(isinstance(x, np.ndarray) and (x != np.round(x)).any() for x in table.values())
