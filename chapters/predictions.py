"""Which cells answer a prediction: their outputs stay hidden until a reader opens them.

A chapter asks "**Predict**: ..." and the code below answers. On the website that output would stand
one scroll away from the question, so the builder tags these cells `hide-output`, which myst-nb shows
as a button. The source has no tags: what answers a prediction follows from where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from nbformat import NotebookNode

PREDICT = re.compile(r"\*\*Predict[.:]?\*\*")
EXERCISE = re.compile(r'# exercise: |exercise\("[\w-]+"\)\s*$')
HIDDEN = "hide-output"


def answering(cells: Sequence[NotebookNode]) -> Iterator[NotebookNode]:
    """The code cells that show something, from a prediction to the next text that is none.

    An exercise on the way asks and does not answer.
    """
    asked = False
    for cell in cells:
        if cell.cell_type == "markdown":
            asked = bool(PREDICT.search(cell.source))
        elif asked and cell.outputs and not EXERCISE.match(cell.source):
            yield cell


def tag(cells: Sequence[NotebookNode]) -> None:
    """Mark what is hidden until it is opened, and nothing else."""
    for cell in answering(cells):
        tags = cell.metadata.get("tags", [])
        cell.metadata["tags"] = tags if HIDDEN in tags else [*tags, HIDDEN]
