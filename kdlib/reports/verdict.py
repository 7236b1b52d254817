"""The verdict of a report: one to three sentences, decided by its intervals."""

from __future__ import annotations

from typing import Any

from kdlib.reports.fields import CONTROLS
from kdlib.reports.formatting import percent


def verdict(report: dict[str, Any]) -> list[str]:
    """What a run shows, in one to three sentences, the headline first.

    A difference counts only if its 95 % interval excludes 0.

    Args:
        report: a run's report.
    """
    student, teacher = report["student"]["cross_entropy"], report["teacher"]["cross_entropy"]
    against = [_against(name, report["advantage"][name]) for name in CONTROLS if name in report]
    if not against:
        return [
            f"The student reaches {student:.3f} nats per token, its teacher {teacher:.3f}.",
            "This run has no control, so it cannot say what the teacher's help was worth.",
        ]
    if "control_equal_steps" not in report:
        return against
    return [_gap_sentence(report), *against]


def _gap_sentence(report: dict[str, Any]) -> str:
    """How much of the gap from the equal-steps control to the teacher is closed."""
    teacher, control = (
        report[name]["cross_entropy"] for name in ("teacher", "control_equal_steps")
    )
    the_gap = "the gap from the equal-steps control to the teacher"
    advantage, gap = report["advantage"]["control_equal_steps"], report.get("gap_closed")
    if teacher >= control:
        return (
            f"The teacher ({teacher:.3f} nats per token) is no better than the equal-steps control"
            f" ({control:.3f}), so there is no gap to close."
        )
    if advantage["high"] < 0:
        return f"Distillation closes nothing of {the_gap}: it did harm."
    if advantage["low"] <= 0 or (gap and gap["low"] <= 0):
        return f"This run does not show that distillation closes any of {the_gap}."
    if gap is None:
        return "Distillation gives a better model than the same training without a teacher."
    return (
        f"Distillation closes {percent(gap['value'])} (95 % interval {100 * gap['low']:.0f} to"
        f" {percent(gap['high'])}) of {the_gap}."
    )


def _against(name: str, advantage: dict[str, Any]) -> str:
    """Whether the student is ahead of a control or behind it."""
    rival = "equal-steps control" if name == "control_equal_steps" else "equal-time control"
    value, low, high = (advantage[key] for key in ("value", "low", "high"))
    if low <= 0 <= high:
        return (
            f"The student and the {rival} cannot be told apart: the 95 % interval of the"
            f" difference, {low:.3f} to {high:.3f} nats per token, includes 0."
        )
    side = "ahead of" if low > 0 else "behind"
    near, far = sorted((abs(low), abs(high)))
    return (
        f"The student is {side} the {rival} by {abs(value):.3f} nats per token"
        f" (95 % interval {near:.3f} to {far:.3f})."
    )
