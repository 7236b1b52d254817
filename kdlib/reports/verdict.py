"""The verdict of a report: was the teacher worth it? Data first, then the same in sentences.

The rule, on the 95 % intervals of the student's advantage over each of its rivals, which are the
controls of the run and the n-gram that only counts:

- ``no``: an interval lies below 0, so some rival is better than the student;
- ``yes``: all intervals lie above 0;
- ``cannot_tell``: otherwise, some interval includes 0, which is not to say "equal";
- ``no_control``: the run has trained no control, so nothing says what the teacher added.

The rival that decides, ``against``, is the one with the smallest advantage over it among those that
made the rule choose.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kdlib.reports.fields import CONTROLS, NGRAM, OFF_POLICY
from kdlib.reports.formatting import percent
from kdlib.reports.intervals import Interval
from kdlib.reports.naming import named

FEW_DOCUMENTS = 10
WITHOUT_TEACHER = (*CONTROLS, NGRAM)  # the rivals that say what a teacher is worth
NAMES = {
    "off_policy_equal_tokens": "the off-policy student of as many teacher's tokens",
    "off_policy_equal_compute": "the off-policy student of equal compute",
    "control_equal_steps": "the control of equal steps",
    "control_equal_compute": "the control of equal compute",
    "control_patient": "the patient control",
    NGRAM: "an n-gram that only counts",
}


def verdict(report: dict[str, Any]) -> dict[str, Any]:
    """What a run shows.

    Args:
        report: a run's report, but for its verdict.

    Returns:
        "worth", "against" (not without a control) and "sentences", the headline first.
    """
    worth, against = _judge(report)
    found = {"worth": worth} if against is None else {"worth": worth, "against": against}
    sentences = [_headline(report, worth, against)]
    for remark in (_scope, _gap, _other_rivals, _beaten_by_counting, _missing, _own_texts):
        sentences += remark(report, against)
    return found | {"sentences": [named(report, sentence) for sentence in sentences]}


def _judge(report: dict[str, Any]) -> tuple[str, str | None]:
    """Apply the rule: the answer, and the rival that decides."""
    advantages: dict[str, Interval] = {
        name: report["advantage"][name] for name in WITHOUT_TEACHER if name in report["advantage"]
    }
    if not any(name in report for name in CONTROLS):
        return "no_control", None
    conditions: dict[str, Callable[[Interval], bool]] = {
        "no": lambda interval: interval["high"] < 0,
        "cannot_tell": lambda interval: interval["low"] <= 0,
        "yes": lambda interval: True,
    }
    for worth, holds in conditions.items():
        decisive = [name for name, interval in advantages.items() if holds(interval)]
        if decisive:
            return worth, min(decisive, key=lambda name: advantages[name]["value"])
    raise ValueError("advantage: a control without one")


def _headline(report: dict[str, Any], worth: str, against: str | None) -> str:
    """The answer in one sentence."""
    if against is None:
        student, teacher = (report[name]["cross_entropy"] for name in ("student", "teacher"))
        return (
            f"What the teacher was worth is not known: this run has no control. The student reaches"
            f" {student:.3f} nats per token, its teacher {teacher:.3f}."
        )
    difference = report["advantage"][against]
    opening = {
        "yes": "The teacher was worth it",
        "no": "The teacher was not worth it",
        "cannot_tell": "Whether the teacher was worth it cannot be told",
    }[worth]
    rival = f"its strongest rival, {NAMES[against]}," if worth == "yes" else NAMES[against]
    return f"{opening}: the student {stands(difference, rival)}."


def stands(difference: Interval, rival: str) -> str:
    """How a student stands to a rival: the end of a sentence that begins with its name.

    Args:
        difference: the rival's cross-entropy minus the student's, with its interval.
        rival: who that is.
    """
    value, low, high = (difference[key] for key in ("value", "low", "high"))
    if low <= 0 <= high:
        return (
            f"and {rival} differ by {value:+.3f} nats per token, with a 95 % interval from"
            f" {low:+.3f} to {high:+.3f} that includes 0"
        )
    side = "ahead of" if value > 0 else "behind"
    near, far = sorted((abs(low), abs(high)))
    return (
        f"is {side} {rival} by {abs(value):.3f} nats per token (95 % interval {near:.3f} to"
        f" {far:.3f})"
    )


def _scope(report: dict[str, Any], against: str | None) -> list[str]:
    """Over what the intervals speak."""
    if against is None:
        return []
    trainings = report["advantage"][against]["trainings"]
    documents = report["data"]["test"]["documents"]
    text = f"{documents} document" + "s" * (documents != 1)
    if trainings == 1:
        scope = f"This holds for this one training, over {report['test_blocks']} blocks of {text}"
    else:
        scope = f"This holds over {trainings} trainings and {text}"
    few = f"; {documents} are few" if 1 < documents < FEW_DOCUMENTS else ""
    alone = "; how another document would fare it cannot say" if documents == 1 else ""
    return [f"{scope}{few}{alone}."]


def _gap(report: dict[str, Any], against: str | None) -> list[str]:
    """How much of the gap from the equal-steps control to the teacher is closed."""
    if "control_equal_steps" not in report:
        return []
    teacher, control = (
        report[name]["cross_entropy"] for name in ("teacher", "control_equal_steps")
    )
    if teacher >= control:
        return [
            f"The teacher ({teacher:.3f} nats per token) is no better than the control of equal"
            f" steps ({control:.3f}): there is no gap to close."
        ]
    gap = report.get("gap_closed")
    if gap is None or gap["low"] <= 0:
        return []
    return [
        f"The student closes {percent(gap['value'], 1)} ({100 * gap['low']:.1f} to"
        f" {percent(gap['high'], 1)}) of the gap from the control of equal steps to the teacher."
    ]


def _other_rivals(report: dict[str, Any], against: str | None) -> list[str]:
    """How the student stands to the rivals that did not decide."""
    return [
        f"The student {stands(report['advantage'][name], NAMES[name])}."
        for name in WITHOUT_TEACHER
        if name in report["advantage"] and name != against
    ]


def _beaten_by_counting(report: dict[str, Any], against: str | None) -> list[str]:
    """Which controls a table of counts predicts better than: a lead over those proves little."""
    if NGRAM not in report:
        return []
    counted = report[NGRAM]["cross_entropy"]
    beaten = [name for name in CONTROLS if name in report]
    beaten = [name for name in beaten if report[name]["cross_entropy"] > counted]
    return [
        f"{NAMES[name].capitalize()} loses to the n-gram, a table of counts"
        f" ({report[name]['cross_entropy']:.3f} against {counted:.3f} nats per token)."
        for name in beaten
    ]


def _missing(report: dict[str, Any], against: str | None) -> list[str]:
    """A rival that the run did without."""
    if against is None or "control_equal_compute" in report:
        return []
    return ["No control of equal compute was trained, which may be a stronger rival."]


def _own_texts(report: dict[str, Any], against: str | None) -> list[str]:
    """What the student gained by writing a share of its texts itself: on the test's words, on its
    own, and in right answers, where a program checks them."""
    sentences = []
    for name in OFF_POLICY:
        if name not in report:
            continue
        sentences.append(f"The student {stands(report['advantage'][name], NAMES[name])}.")
        if name in report.get("own_lead", {}):
            own = stands(report["own_lead"][name], f"{NAMES[name]} on its own")
            sentences.append(f"On its own words, the student {own}, in reverse KL to the teacher.")
        if "answers" in report:
            right = report["answers"]["right"]
            lead = report["answers"]["lead"][name]
            sentences.append(
                f"It answers {percent(right['student'], 1)} of the problems rightly,"
                f" {NAMES[name]} {percent(right[name], 1)}: {points(lead)}."
            )
    return sentences


def points(lead: Interval) -> str:
    """A difference of two shares with its interval, in percentage points."""
    value, low, high = (f"{100 * lead[key]:+.1f}" for key in ("value", "low", "high"))
    return f"{value} points (95 % interval {low} to {high})"
