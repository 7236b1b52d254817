"""The figures of a report's page."""

from __future__ import annotations

from typing import Any

from kdlib import plots
from kdlib.reports.fields import LEARNERS, MODELS, NGRAM
from kdlib.reports.pages.costs import cost_axes, curves_of
from kdlib.reports.pages.tiles import main_control


def comparison(report: dict[str, Any]) -> plots.Picture:
    """The cross-entropies of all models, with the gap that the student closed, if it did."""
    losses = {name: report[name]["cross_entropy"] for name in (*MODELS, NGRAM) if name in report}
    return plots.cross_entropy_comparison(losses, gap_closed(report))


def gap_closed(report: dict[str, Any]) -> float | None:
    """The share of the gap that the student closed; None where its interval includes 0."""
    gap = report.get("gap_closed")
    return gap["value"] if gap is not None and gap["low"] > 0 else None


def curves(report: dict[str, Any], metrics: list[dict[str, Any]]) -> list[plots.Picture]:
    """The validation losses over steps, operations and seconds; none without a log."""
    still = ("teacher", NGRAM)
    levels = {name: report[name]["cross_entropy"] for name in still if name in report}
    training = curves_of(report, metrics, "cross_entropy")
    return [
        plots.loss_curves(
            axis.curves,
            levels,
            over=axis.over,
            head_start=axis.head_start,
            training=training if number == 0 else None,
        )
        for number, axis in enumerate(cost_axes(report, metrics))
    ]


def reliability(report: dict[str, Any]) -> plots.Picture:
    """The calibration of all models."""
    return plots.reliability({name: report[name] for name in MODELS if name in report})


def losers(report: dict[str, Any]) -> list[str]:
    """The student, and the control to show beside it: that of equal steps, if there is one."""
    steps = "control_equal_steps"
    control = steps if steps in report else main_control(report)
    return ["student"] if control is None else ["student", control]


def lost(report: dict[str, Any]) -> list[plots.Picture]:
    """Where the student lost: by frequency, by position and, of several, by document."""
    found, names = report["where_lost"], losers(report)
    overs = {
        "frequency": "occurrences in the student's lesson",
        "position": "tokens before it in its block",
    }
    pictures = [
        plots.lost_by_bin(_of(found[way], names), _bins(found[way]), over=over)
        for way, over in overs.items()
    ]
    documents = found["document"]
    if len(documents["name"]) > 1:
        pictures.append(plots.lost_by_document(_of(documents, names), documents["name"]))
    return pictures


def _of(part: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """The entries of these learners."""
    return {name: part[name] for name in LEARNERS if name in names}


def _bins(part: dict[str, Any]) -> list[str]:
    """The names of bins: "never", 7, or 11–49."""
    return [
        "never" if last == 0 else str(first) if first == last else f"{first}\u2013{last}"
        for first, last in zip(part["first"], part["last"], strict=True)
    ]
