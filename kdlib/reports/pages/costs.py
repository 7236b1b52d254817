"""What learning cost, in steps, in operations and in seconds: the curves of a report and a remark.

Of a training, only steps and totals are recorded, so each step is taken to cost the same.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from kdlib.reports.fields import LEARNERS, OFF_POLICY
from kdlib.reports.formatting import duration, short

COSTS = ("operations", "seconds")
CLOCKS = (("seconds", 1), ("minutes", 60), ("hours", 3600))
MANY = 180  # of one unit of time are told in the next one
CONTROL = "control_equal_steps"
TAUGHT = ("student", *OFF_POLICY)
TOLD_APART = 1.25  # ratios of which one is less than a quarter above the other tell one story


class Axis(NamedTuple):
    """What a picture of loss curves counts.

    Attributes:
        over: its name, with the unit.
        head_start: what the teacher's pass cost before the student's first step.
        curves: for each learner what it had cost at each validation, and its loss then.
    """

    over: str
    head_start: float
    curves: dict[str, tuple[list[float], list[float]]]


def cost_axes(report: dict[str, Any], metrics: list[dict[str, Any]]) -> list[Axis]:
    """The validation losses of a run over optimiser steps, operations and seconds.

    The teacher's pass comes first for those whom it teaches; the teacher's own training is in nothing.

    Args:
        report: the run's report.
        metrics: the rows of ``metrics.jsonl``.

    Returns:
        Three of them, or none without a validation.
    """
    losses = curves_of(report, metrics, "validation")
    if not losses:
        return []
    axes = [Axis("optimiser steps", 0, losses)]
    for cost in COSTS:
        start, spent = report[cost].get("teacher_pass", 0), {}
        for name, (steps, curve) in losses.items():
            each = _each_step(report, cost, name)
            before = start if name in TAUGHT else 0
            spent[name] = ([before + each * step for step in steps], curve)
        axes.append(Axis(cost, start, spent))
    return [*axes[:2], _told_in_time(axes[2])]


def curves_of(
    report: dict[str, Any], metrics: list[dict[str, Any]], loss: str
) -> dict[str, tuple[list[float], list[float]]]:
    """The steps and the losses of each learner of a report, where they were logged.

    Args:
        report: the run's report.
        metrics: the rows of ``metrics.jsonl``.
        loss: "validation" or "cross_entropy".
    """
    curves: dict[str, tuple[list[float], list[float]]] = {}
    for name in LEARNERS:
        rows = [row for row in metrics if row["phase"] == name and row.get(loss) is not None]
        if rows and name in report:
            curves[name] = ([row["step"] for row in rows], [row[loss] for row in rows])
    return curves


def _each_step(report: dict[str, Any], cost: str, name: str) -> float:
    """What one step of a learner costs."""
    paid, steps = report[cost], report["student"]["steps"]
    if name == "control_patient":
        # The records of the patient control hold all its attempts; its steps are a control's.
        return float(paid[CONTROL] / steps)
    return float(paid[name] / report[name]["steps"])


def _told_in_time(axis: Axis) -> Axis:
    """Seconds, or minutes or hours where there are many."""
    longest = max(xs[-1] for xs, _ in axis.curves.values())
    unit, seconds = next(
        (clock for clock in CLOCKS if longest <= MANY * clock[1]),
        CLOCKS[-1],
    )
    curves = {
        name: ([x / seconds for x in xs], losses) for name, (xs, losses) in axis.curves.items()
    }
    return Axis(unit, axis.head_start / seconds, curves)


def cost_remarks(report: dict[str, Any]) -> list[str]:
    """What the student's training cost beside a control's, and whether the teacher's is in it.

    Args:
        report: the run's report.

    Returns:
        Sentences.
    """
    return _ratios(report) + _of_teacher(report) + _of_patient(report)


def _ratios(report: dict[str, Any]) -> list[str]:
    """The student's cost as a multiple of a control's, once or in two ways."""
    if any(CONTROL not in report[cost] for cost in COSTS):
        return []
    operations, seconds = (
        (report[cost].get("teacher_pass", 0) + report[cost]["student"]) / report[cost][CONTROL]
        for cost in COSTS
    )
    opening = "With its teacher's part, the student's training took"
    if max(operations, seconds) <= TOLD_APART * min(operations, seconds):
        return [
            f"{opening} {operations:.1f} times the operations of as many steps without a teacher,"
            f" and {seconds:.1f} times the seconds."
        ]
    return [
        f"{opening} {operations:.1f} times the operations of as many steps without a teacher, but"
        f" {seconds:.1f} times the seconds: operations are the same on every machine, seconds are"
        " those of this one on that day."
    ]


def _of_teacher(report: dict[str, Any]) -> list[str]:
    """Whether the teacher's own training is counted."""
    taken = report["operations"].get("teacher")
    if taken is None:
        return ["What it took to train the teacher itself is counted nowhere, and not known here."]
    seconds = report["seconds"].get("teacher")
    lasted = "" if seconds is None else f" and {duration(seconds)}"
    return [
        f"The teacher's own training is not counted: it took {short(taken)} operations{lasted}."
    ]


def _of_patient(report: dict[str, Any]) -> list[str]:
    """That the patient control's curve is that of one attempt among several."""
    if "control_patient" not in report:
        return []
    paid = report["operations"]["control_patient"]
    return [
        "Of the patient control the curve shows the training that was kept; to find it took"
        f" {short(paid)} operations in all."
    ]
