"""The students of several runs side by side, read from their reports."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kdlib.errors import UserError
from kdlib.files import read_json
from kdlib.reports.fields import FORMAT, MODELS, NGRAM, leaves
from kdlib.reports.formatting import align, duration, number, percent
from kdlib.reports.intervals import advantage
from kdlib.reports.page import ROWS
from kdlib.reports.score_file import Scores, read_scores, scores_path
from kdlib.reports.verdict import stands
from kdlib.training.run_folder import require_run

Cell = Callable[[dict[str, Any]], str]


class Comparison(NamedTuple):
    """Several runs side by side.

    Attributes:
        names: of the runs.
        reports: of the runs.
        rows: each a label, then a cell for each run.
        sentences: how each student stands to the first run's, and what does not compare.
    """

    names: list[str]
    reports: list[dict[str, Any]]
    rows: list[list[str]]
    sentences: list[str]


def compare_runs(folders: Sequence[Path]) -> str:
    """Table of several runs, one column each, as `comparison` makes it.

    Args:
        folders: of finished runs.

    Returns:
        The table as plain text, and the sentences.

    Raises:
        UserError: as `comparison`.
    """
    found = comparison(folders)
    return "\n".join([align([["", *found.names], *found.rows]), *found.sentences])


def comparison(folders: Sequence[Path]) -> Comparison:
    """Put several runs side by side.

    The rows are the student's rows of the report, its advantage and the gap it closed, objective,
    seed and time, and every other setting in which the runs differ. Each student is set against the
    first run's, document by document, from the scores that the runs have kept.

    Args:
        folders: of finished runs.

    Raises:
        UserError: for a folder that is no run, for a report that is missing, damaged or of another
            version, and for runs that were measured on different texts.
    """
    reports = [_read(folder) for folder in folders]
    _refuse_different_texts(folders, reports)
    rows = [[label, *map(cell, reports)] for label, cell in _rows().items()]
    return Comparison(
        [folder.resolve().name for folder in folders],
        reports,
        rows + _differing_settings(reports),
        _against_first(folders, reports) + _warnings(reports),
    )


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
    differing = [row for row in table if len(set(row[1:])) > 1]
    return [row for row in differing if row[0] != "seed" and not row[0].startswith("objective.")]


def _or_dash(entry: dict[str, Any], key: str, write: Callable[[float], str]) -> str:
    """The value as text, or a dash if it is absent."""
    return write(entry[key]) if key in entry else "-"


def _refuse_different_texts(folders: Sequence[Path], reports: list[dict[str, Any]]) -> None:
    """Numbers on two texts say nothing about two models."""
    first, text = folders[0], reports[0]["data"]["test"]["sha256"]
    for folder, report in zip(folders, reports, strict=True):
        if report["data"]["test"]["sha256"] != text:
            raise UserError(
                f"compare: the test text of {folder} ({report['data']['text']}) is not that of"
                f" {first} ({reports[0]['data']['text']}), so their numbers do not compare;"
                " distil both on one text"
            )


def _against_first(folders: Sequence[Path], reports: list[dict[str, Any]]) -> list[str]:
    """How each further student stands to the first one, with its interval."""
    first, *others = [_scores(*run) for run in zip(folders, reports, strict=True)]
    names = [folder.resolve().name for folder in folders]
    sentences = []
    for name, other in zip(names[1:], others, strict=True):
        if first is None or other is None:
            sentences.append(
                f"{name}: its scores, or those of {names[0]}, are not on disk;"
                " `kdlib evaluate` makes them."
            )
        elif not np.array_equal(first.layout.token, other.layout.token):
            sentences.append(
                f"{name} and {names[0]} have different tokenizers: compare bits per byte."
            )
        else:
            sentences.append(_stand(name, names[0], first, other))
    return sentences


def _stand(name: str, first_name: str, first: Scores, other: Scores) -> str:
    """One student against another on the same tokens, training by training."""
    # The same tokens, perhaps in blocks of another length: the first run's units serve for both.
    other = dataclasses.replace(other, layout=first.layout)
    losses = [np.stack(_students(scores)) for scores in (other, first)]
    trainings = min(map(len, losses))
    mine, theirs = (rows[:trainings] for rows in losses)
    difference = advantage(mine, theirs, first.unit_tokens)
    units = f"{len(first.unit_tokens)} {first.layout.unit}s"
    over = f"{trainings} training{'s' * (trainings > 1)} each and {units}"
    return f"{name} {stands(difference, first_name)}, over {over}."


def _students(scores: Scores) -> list[np.ndarray]:
    """The student's summed losses on each unit of text, of every seed."""
    further = [name for name in scores.losses if name.endswith("/student")]
    further.sort(key=lambda name: int(name.removeprefix("seed_").partition("/")[0]))
    return [scores.unit_losses(name) for name in ("student", *further)]


def _scores(folder: Path, report: dict[str, Any]) -> Scores | None:
    """The scores of a run on its test text, if they are on disk."""
    return read_scores(scores_path(folder, report["data"]["test"]["sha256"]))


def _warnings(reports: list[dict[str, Any]]) -> list[str]:
    """Why some of the numbers of these runs cannot be compared, if they cannot."""
    teachers = {report["teacher"]["cross_entropy"] for report in reports}
    if len(teachers) == 1:
        return []
    return ["The teachers of these runs differ: their KL and agreement do not compare."]


def _read(folder: Path) -> dict[str, Any]:
    """Read a run's report, or refuse it by name."""
    require_run(folder)
    path = folder / "report.json"
    try:
        report: dict[str, Any] = read_json(path)
        _refuse_another_version(report, path)
        _try_out(report)
    except FileNotFoundError:
        raise UserError(f"{folder} has no report yet; finish it with --resume") from None
    except UserError:
        raise
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is damaged; `kdlib evaluate` writes it anew") from error
    return report


def _refuse_another_version(report: dict[str, Any], path: Path) -> None:
    """A report that another version has written may mean something else by its numbers."""
    if report.get("format") != FORMAT:
        raise UserError(f"{path} is of another version; `kdlib evaluate` writes it anew")


def _try_out(report: dict[str, Any]) -> None:
    """Use all that a comparison needs of a report: the file may hold anything."""
    for cell in _rows().values():
        cell(report)
    float(report["teacher"]["cross_entropy"])
    if not isinstance(report["data"]["test"]["sha256"], str):
        raise TypeError("the checksum of the test text is no text")


def comparison_entries(found: Comparison) -> dict[str, Any]:
    """A comparison for programs: each run's measured entries, and the sentences.

    Args:
        found: the runs.

    Returns:
        "runs", a list of the runs' names with the entries of their reports on models, settings and
        costs; "sentences".
    """
    shown = ("name", *MODELS, NGRAM, "advantage", "gap_closed", "recipe", "seconds", "verdict")
    runs = [
        {"run": name, **{key: report[key] for key in shown if key in report}}
        for name, report in zip(found.names, found.reports, strict=True)
    ]
    return {"runs": runs, "sentences": found.sentences}
