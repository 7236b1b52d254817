"""Which cells answer a prediction: their outputs stay hidden until a reader opens them.

A chapter asks "**Predict**: ..." and the code below answers. On the website that output would stand
one scroll away from the question, so the builder tags these cells `hide-output`, which myst-nb shows
as a button. The source has no tags: what answers a prediction follows from where it stands.

A cell `predict("04-better-mimic")` after the question asks for the prediction in a form; what can be
said, and what proves the answer, is in kdlib/exercises/predictions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from nbformat import NotebookNode

PREDICT = re.compile(r"\*\*Predict[.:]?\*\*")
EXERCISE = re.compile(r'# exercise: |exercise\("[\w-]+"\)\s*$')
FORM = re.compile(r'predict\("([\w-]+)"\)\s*$')
FORESEEN = re.compile(r'foreseen\("\d\d"\)\s*$')
HIDDEN = "hide-output"


def asks(cell: NotebookNode) -> bool:
    """Whether a code cell asks, as an exercise or a form does, and so answers nothing."""
    return bool(EXERCISE.match(cell.source) or FORM.match(cell.source))


def answering(cells: Sequence[NotebookNode]) -> Iterator[NotebookNode]:
    """The code cells that show something, from a prediction to the next text that is none.

    What asks on the way does not answer.
    """
    asked = False
    for cell in cells:
        if cell.cell_type == "markdown":
            asked = bool(PREDICT.search(cell.source))
        elif asked and cell.outputs and not asks(cell):
            yield cell


def answers(cells: Sequence[NotebookNode]) -> dict[str, str]:
    """{id: the plain text of all that answers it}, for the predictions that have a form."""
    return {
        found[1]: "\n".join(text for each in _after(cells, place) for text in printed(each))
        for place, cell in enumerate(cells)
        if cell.cell_type == "code" and (found := FORM.match(cell.source))
    }


def question(cells: Sequence[NotebookNode], id: str) -> str:
    """What the text above a form asks, from the word Predict on, in one line; "" for none."""
    asked = ""
    for cell in cells:
        if cell.cell_type == "markdown":
            asked = PREDICT.split(cell.source)[-1] if PREDICT.search(cell.source) else ""
        elif (found := FORM.match(cell.source)) and found[1] == id:
            return " ".join(asked.split()).lstrip(": ")
    return ""


def _after(cells: Sequence[NotebookNode], place: int) -> list[NotebookNode]:
    """The answering cells after a form: those before the next text, once there is one."""
    found: list[NotebookNode] = []
    for cell in cells[place + 1 :]:
        if cell.cell_type == "markdown" and (found or not PREDICT.search(cell.source)):
            break
        if cell.cell_type == "code" and cell.outputs and not asks(cell):
            found.append(cell)
    return found


def printed(cell: NotebookNode) -> Iterator[str]:
    """What a code cell says in plain text: streams, and the plain twin of what it shows."""
    for output in cell.outputs:
        yield output.get("text", "") or output.get("data", {}).get("text/plain", "")


def tag(cells: Sequence[NotebookNode]) -> None:
    """Mark what is hidden until it is opened, and nothing else."""
    for cell in answering(cells):
        tags = cell.metadata.get("tags", [])
        cell.metadata["tags"] = tags if HIDDEN in tags else [*tags, HIDDEN]
