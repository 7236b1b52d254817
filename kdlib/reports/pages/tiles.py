"""The few numbers at the top of a report's page, each with its sign."""

from __future__ import annotations

from typing import Any, NamedTuple

from kdlib.reports.fields import CONTROLS
from kdlib.reports.formatting import percent, short
from kdlib.reports.intervals import Interval
from kdlib.reports.verdict import NAMES

GOOD, BAD, UNCLEAR, NEUTRAL = "good", "bad", "unclear", "neutral"
MINUS = "\N{MINUS SIGN}"
WORDS = {  # the verdict's "worth" -> its sign and its word
    "yes": (GOOD, "worth it"),
    "no": (BAD, "not worth it"),
    "cannot_tell": (UNCLEAR, "cannot be told"),
    "no_control": (NEUTRAL, "no control"),
}


class Tile(NamedTuple):
    """A number of the page's head.

    Attributes:
        value: the number as text.
        what: what it is of.
        beside: what it must be read with.
        sign: "good", "bad", "unclear" or, where nothing decides, "neutral".
    """

    value: str
    what: str
    beside: str
    sign: str


def sign(interval: Interval) -> str:
    """Whether a gain is one, by its interval: one that includes 0 is neither good nor bad."""
    if interval["low"] > 0:
        return GOOD
    return BAD if interval["high"] < 0 else UNCLEAR


def main_control(report: dict[str, Any]) -> str | None:
    """The control to show beside the student: the one that decides the verdict, or else that of
    equal steps, or else the first there is."""
    order = (report["verdict"].get("against"), *CONTROLS)
    return next((name for name in order if name in CONTROLS and name in report), None)


def tiles(report: dict[str, Any]) -> list[Tile]:
    """The tiles of a report's page.

    Args:
        report: a complete report.
    """
    makers = (_advantage, _gap, _agreement, _size, _speed)
    return [tile for make in makers if (tile := make(report)) is not None]


def _advantage(report: dict[str, Any]) -> Tile | None:
    """How far ahead of the rival that decides."""
    against = report["verdict"].get("against")
    if against is None:
        return None
    found: Interval = report["advantage"][against]
    ends = (found["low"], found["value"], found["high"])
    if sign(found) == UNCLEAR:
        what = "nats per token: cannot be told apart from"
        low, value, high = (f"{end:+.3f}".replace("-", MINUS) for end in ends)
    else:  # a word says on which side, so the numbers go without their sign
        what = f"nats per token {'ahead of' if sign(found) == GOOD else 'behind'}"
        low, value, high = (f"{end:.3f}" for end in sorted(map(abs, ends)))
    beside = f"95 % interval {low} to {high}"
    return Tile(value, f"{what} {NAMES[against]}", beside, sign(found))


def _gap(report: dict[str, Any]) -> Tile | None:
    """The share of the gap to the teacher, if there is a gap."""
    gap = report.get("gap_closed")
    if gap is None:
        return None
    what = "of the gap from the control of equal steps to the teacher"
    ending = {
        GOOD: " closed",
        BAD: ": it is wider than without the teacher",
        UNCLEAR: ": whether any is closed cannot be told",
    }[sign(gap)]
    value, low, high = (percent(gap[end]).replace("-", MINUS) for end in ("value", "low", "high"))
    return Tile(value, what + ending, f"95 % interval {low} to {high}", sign(gap))


def _agreement(report: dict[str, Any]) -> Tile | None:
    """How often the student's first choice is the teacher's, beside the main control."""
    share, control = report["student"].get("top1_agreement"), main_control(report)
    if share is None:
        return None
    what = "agreement with the teacher's first choice"
    if control is None or control not in report.get("agreement_lead", {}):
        return Tile(percent(share), what, "on the test documents", NEUTRAL)
    lead = report["agreement_lead"][control]
    theirs = percent(report[control]["top1_agreement"])
    apart = ", cannot be told apart" if sign(lead) == UNCLEAR else ""
    return Tile(percent(share), what, f"{theirs} for {NAMES[control]}{apart}", sign(lead))


def _size(report: dict[str, Any]) -> Tile:
    """The student's parameters beside the teacher's."""
    teacher, student = (report[name]["parameters"] for name in ("teacher", "student"))
    smaller = teacher / student
    what = "fewer parameters than the teacher" if smaller >= 1 else "the teacher's parameters"
    beside = f"{short(student)} against {short(teacher)}"
    return Tile(f"{max(smaller, 1 / smaller):.1f}×", what, beside, NEUTRAL)


def _speed(report: dict[str, Any]) -> Tile:
    """The student's speed beside the teacher's."""
    teacher, student = (report[name]["tokens_per_second"] for name in ("teacher", "student"))
    beside = f"{rough(student)} against {rough(teacher)} tokens/s"
    return Tile(f"{student / teacher:.2g}×", "the teacher's speed", beside, NEUTRAL)


def rough(value: float) -> str:
    """Two significant digits: in the third, a second measurement differs."""
    return short(float(f"{value:.2g}"))
