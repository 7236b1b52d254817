"""The students of several runs side by side, read from their reports."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kdlib.errors import UserError
from kdlib.reports.fields import FORMAT, leaves
from kdlib.reports.formatting import align, duration, number, percent
from kdlib.reports.page import ROWS
from kdlib.training.run_folder import require_run

Cell = Callable[[dict[str, Any]], str]


def compare_runs(folders: Sequence[Path]) -> str:
    """Table of several runs, one column each.

    The rows are the student's rows of the report, its advantage and the gap it closed, objective,
    seed and time, and every other setting in which the runs differ. If the runs were measured on
    different texts or have different teachers, a line below says that their numbers cannot be
    compared.

    Args:
        folders: of finished runs.

    Returns:
        The table as plain text.

    Raises:
        UserError: for a folder that is no run, and for a report that is missing, damaged or of
            another version.
    """
    reports = [_read(folder) for folder in folders]
    lines = [["", *(folder.name for folder in folders)]]
    lines += [[label, *map(cell, reports)] for label, cell in _rows().items()]
    lines += _differing_settings(reports)
    return "\n".join([align(lines), *_warnings(reports)])


def _of_student(key: str, write: Callable[[float], str]) -> Cell:
    """The cell for one of the student's numbers."""
    return lambda report: _or_dash(report["student"], key, write)


def _rows() -> dict[str, Cell]:
    """Label -> how to read the cell from a report."""
    rows: dict[str, Cell] = {}
    for key, label, unit, _, write in ROWS:
        rows[f"{label}, {unit}" if unit else label] = _of_student(key, write)
    steps = "control_equal_steps"
    return rows | {
        "ahead of equal steps": lambda r: _or_dash(
            r["advantage"].get(steps, {}), "value", number(3)
        ),
        "gap closed": lambda r: _or_dash(r.get("gap_closed", {}), "value", percent),
        "objective": lambda r: "{weighing} {weight:g}, T {temperature:g}".format(
            **r["recipe"]["objective"]
        ),
        "divergence": lambda r: str(r["recipe"]["objective"]["divergence"]),
        "seed": lambda r: str(r["seed"]),
        "run time": lambda r: duration(r["seconds"]["total"]),
    }


def _differing_settings(reports: list[dict[str, Any]]) -> list[list[str]]:
    """Lines for the settings that differ, without those that have a row of their own."""
    recipes = [dict(leaves(report["recipe"])) for report in reports]
    names = dict.fromkeys(name for recipe in recipes for name in recipe)
    table = [[name, *(str(recipe.get(name, "-")) for recipe in recipes)] for name in names]
    shown = ("objective.", "seed")
    return [row for row in table if len(set(row[1:])) > 1 and not row[0].startswith(shown)]


def _or_dash(entry: dict[str, Any], key: str, write: Callable[[float], str]) -> str:
    """The value as text, or a dash if it is absent."""
    return write(entry[key]) if key in entry else "-"


def _warnings(reports: list[dict[str, Any]]) -> list[str]:
    """Why the numbers of these runs cannot be compared, if they cannot."""
    parts: dict[str, Callable[[dict[str, Any]], object]] = {
        "test texts": lambda r: (r["data"]["text"], r["data"]["test"]),
        "teachers": lambda r: r["teacher"]["cross_entropy"],
    }
    return [
        f"The {name} of these runs differ: their numbers do not compare."
        for name, read in parts.items()
        if any(read(report) != read(reports[0]) for report in reports)
    ]


def _read(folder: Path) -> dict[str, Any]:
    """Read a run's report, or refuse it by name."""
    require_run(folder)
    try:
        report: dict[str, Any] = json.loads((folder / "report.json").read_text("utf-8"))
    except FileNotFoundError:
        raise UserError(f"{folder} has no report yet; finish it with --resume") from None
    except ValueError as error:
        raise UserError(
            f"{folder / 'report.json'} is damaged; `kdlib evaluate` writes it anew"
        ) from error
    if report.get("format") != FORMAT:
        raise UserError(
            f"{folder / 'report.json'} is of another version; `kdlib evaluate` writes it anew"
        )
    return report
