r"""What decides a claim: an interval over trainings, and where it must lie.

Arms are compared seed by seed. Of the S differences, the interval is

.. math:: \bar d \pm t_{S-1} \frac{s}{\sqrt S}

with Student's t for 95 %. It speaks of trainings on this text and this exam, not of other texts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal, NamedTuple

from kdlib.reports.t_quantiles import t_quantile

Numbers = Mapping[str, Mapping[str, Sequence[float]]]  # arm -> measure -> one a training
Verdict = Literal["reproduced", "opposite", "undecided"]


class Interval(NamedTuple):
    """A mean of differences, with the ends of its 95 % interval over trainings."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:+.3f} ({self.low:+.3f} to {self.high:+.3f})"


def interval(differences: Sequence[float]) -> Interval:
    """Mean and 95 % interval of one difference a training.

    Raises:
        ValueError: for fewer than two.
    """
    if len(differences) < 2:
        raise ValueError(f"{len(differences)} training: an interval needs at least 2")
    half = t_quantile(len(differences) - 1) * stdev(differences) / math.sqrt(len(differences))
    mean = fmean(differences)
    return Interval(mean, mean - half, mean + half)


@dataclass(frozen=True)
class Lead:
    """One arm is better than another.

    Attributes:
        measure: what is compared.
        ahead: the arm that is said to be better.
        behind: the other.
        by: reproduced if the whole interval lies above this, opposite if it lies below 0.
        higher: whether more is better.
    """

    measure: str
    ahead: str
    behind: str
    by: float = 0.0
    higher: bool = False

    def __str__(self) -> str:
        more = f" by more than {self.by:g}" if self.by else ""
        return f"{self.measure}: {self.ahead} better than {self.behind}{more}"

    def interval(self, numbers: Numbers) -> Interval:
        """How far ahead; positive is better."""
        ahead, behind = (numbers[arm][self.measure] for arm in (self.ahead, self.behind))
        sign = 1 if self.higher else -1
        return interval([sign * (a - b) for a, b in zip(ahead, behind, strict=True)])

    def judge(self, numbers: Numbers) -> Verdict:
        """Where the interval lies."""
        return _above(self.interval(numbers), self.by)


@dataclass(frozen=True)
class Level:
    """Two arms end at the same place, to a margin that is set before the run.

    Attributes:
        measure: what is compared.
        one, other: the arms.
        within: reproduced if the whole interval lies within this of 0, opposite if all of it lies
            beyond.
    """

    measure: str
    one: str
    other: str
    within: float

    def __str__(self) -> str:
        return f"{self.measure}: {self.one} within {self.within:g} of {self.other}"

    def interval(self, numbers: Numbers) -> Interval:
        """The one less the other."""
        one, other = (numbers[arm][self.measure] for arm in (self.one, self.other))
        return interval([a - b for a, b in zip(one, other, strict=True)])

    def judge(self, numbers: Numbers) -> Verdict:
        """Where the interval lies."""
        found = self.interval(numbers)
        if max(abs(found.low), abs(found.high)) < self.within:
            return "reproduced"
        beyond = found.low > self.within or found.high < -self.within
        return "opposite" if beyond else "undecided"


@dataclass(frozen=True)
class Above:
    """A number of one arm is above 0.

    Attributes:
        measure: the number.
        arm: whose.
        by: reproduced if the whole interval lies above this, opposite if it lies below 0.
    """

    measure: str
    arm: str
    by: float = 0.0

    def __str__(self) -> str:
        return f"{self.measure}: above {self.by:g} for {self.arm}"

    def interval(self, numbers: Numbers) -> Interval:
        """Of the number."""
        return interval(list(numbers[self.arm][self.measure]))

    def judge(self, numbers: Numbers) -> Verdict:
        """Where the interval lies."""
        return _above(self.interval(numbers), self.by)


Rule = Lead | Level | Above


def _above(found: Interval, by: float) -> Verdict:
    if found.low > by:
        return "reproduced"
    return "opposite" if found.high < 0 else "undecided"
