"""The data of a page's prediction forms, which static/predict.js makes forms of.

A chapter's cell `predict("...")` becomes a script element without anything to see: a page without
scripts asks nothing. What is right is compared with the chapter's own outputs on the way.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import nbformat
from nbformat import NotebookNode
from predictions import FORESEEN, FORM, answers

from kdlib.exercises.predictions import proof
from kdlib.exercises.predictions.data import predictions
from kdlib.exercises.predictions.judging import range_of, words_beside
from kdlib.exercises.predictions.kinds import Choice, Number, Order, Prediction

MARK = 'class="predicted"'  # of the element on a page


def placed(cells: Sequence[NotebookNode]) -> list[NotebookNode]:
    """A page's cells with the forms' data for their cells, and without the sum at the end.

    Raises:
        ValueError: where an output does not bear out what the data call right.
    """
    outputs, found = answers(cells), []
    for cell in cells:
        form = FORM.match(cell.source) if cell.cell_type == "code" else None
        if form:
            found.append(_element(form[1], outputs[form[1]]))
        elif cell.cell_type != "code" or not FORESEEN.match(cell.source):
            found.append(cell)
    return found


def _element(id: str, output: str) -> NotebookNode:
    about = predictions()[id]
    if faults := proof.faults(about, output):
        raise ValueError("; ".join(faults))
    text = json.dumps(data(about), ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    source = f'<script type="application/json" {MARK}>{text}</script>'
    cell = nbformat.v4.new_markdown_cell(source, metadata={"website": True})
    cell.id = f"predict-{id}"
    return cell


def data(about: Prediction) -> dict[str, Any]:
    """What the scripts know of a prediction."""
    common = {"id": about.id, "kind": about.kind, "title": about.title}
    match about:
        case Choice():
            return common | {"right": about.letter, "options": _options(about)}
        case Number():
            return common | _line(about)
        case Order():
            letters = sorted(about.letters)
            items = [{"letter": a, "text": text} for a, text in zip(letters, about.shown)]
            return common | {"right": about.letters, "items": items, "ends": about.ends}
    raise TypeError(f"{about.kind} is no kind of prediction")


def _options(about: Choice) -> list[dict[str, str]]:
    return [
        {"letter": letter, "text": option.text, "because": option.because}
        for letter, option in about.letters.items()
    ]


def _line(about: Number) -> dict[str, Any]:
    """Numbers that are read are written here, so that both judges write them alike."""
    near = about.within if about.factor is None else about.factor
    return {
        "right": about.right,
        "written": f"{about.right:,}",
        "unit": about.unit,
        "low": about.low,
        "high": about.high,
        "ends": [f"{about.low:,}", f"{about.high:,}"],
        "range": range_of(about),
        "isLog": about.is_log,
        "isWhole": about.is_whole,
        "factor": about.factor,
        "within": about.within,
        "near": f"{near:,}",
        "words": words_beside(about),
    }
