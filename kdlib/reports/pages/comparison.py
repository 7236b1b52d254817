"""Several runs as one page: what each student costs against what it can do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kdlib import plots
from kdlib.errors import UserError
from kdlib.files import disk_errors_named, write_atomically
from kdlib.reports.comparison import Comparison, comparison
from kdlib.reports.pages.templates import figure, render

COSTS = {
    "parameters": "parameters",
    "tokens_per_second": "speed, tokens per second",
}


def write_comparison(folders: Sequence[Path], path: Path) -> None:
    """Write a self-contained page on several runs: figures, table and sentences.

    Args:
        folders: of finished runs.
        path: of the page.

    Raises:
        UserError: as `kdlib.reports.comparison.comparison`, and for a path that cannot be written.
    """
    found = comparison(folders)
    try:
        page = comparison_html(found)
    except (LookupError, TypeError) as error:  # numbers that the table can do without
        runs = ", ".join(map(str, folders))
        raise UserError(
            f"a report in {runs} is damaged ({error!r}); `kdlib evaluate` writes it anew"
        ) from error
    with disk_errors_named(path):
        write_atomically(path, page)


def comparison_html(found: Comparison) -> str:
    """The page of a comparison; all text in it is escaped.

    Args:
        found: the runs.

    Returns:
        The HTML.
    """
    key, loss = _common_loss(found.reports)
    pictures = [
        plots.cost_against_loss(_points(found, cost, key), cost=label, loss=loss)
        for cost, label in COSTS.items()
    ]
    return render("comparison", found=found, figures=[*map(figure, pictures)])


def _common_loss(reports: list[dict[str, Any]]) -> tuple[str, str]:
    """The loss in which all students compare, whatever their tokenizers, and its name."""
    tokens = {report["data"]["test"]["tokens"] for report in reports}
    if len(tokens) == 1:
        return "cross_entropy", "cross-entropy, nats per token"
    return "bits_per_byte", "bits per byte"


def _points(found: Comparison, cost: str, loss: str) -> list[plots.Point]:
    """Every student, and every teacher once."""
    teachers: dict[tuple[float, float], str] = {}
    students = []
    for name, report in zip(found.names, found.reports, strict=True):
        student, teacher = report["student"], report["teacher"]
        students.append(plots.Point(name, "student", student[cost], student[loss]))
        # Two runs time the same teacher differently: it is known by its size and its loss.
        teachers.setdefault((teacher["parameters"], teacher[loss]), name)
    label = "teacher" if len(teachers) == 1 else "teacher of {}"
    reports = dict(zip(found.names, found.reports, strict=True))
    return students + [
        plots.Point(
            label.format(name),
            "teacher",
            reports[name]["teacher"][cost],
            reports[name]["teacher"][loss],
        )
        for name in teachers.values()
    ]
