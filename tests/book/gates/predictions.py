"""What answers a prediction is hidden until it is opened, and has been shown nowhere before."""

from __future__ import annotations

import re

from nbformat import NotebookNode
from predictions import FORM, HIDDEN, PREDICT, asks

from gates.chapter import Chapter, printed

TELLING = re.compile(r"\d*\.?\d+")
DIGITS, FEWEST = 3, 2  # of a telling number, and telling numbers of an output


def faults(chapter: Chapter) -> list[str]:
    cells = chapter.notebook.cells
    found = []
    for place, cell in enumerate(cells):
        if cell.cell_type == "markdown" and PREDICT.search(cell.source):
            found += _answer_faults(cells, place)
    return found


def _answer_faults(cells: list[NotebookNode], place: int) -> list[str]:
    """Of the cells from a prediction to the next text that is no prediction."""
    end = next(
        (p for p in range(place + 1, len(cells)) if cells[p].cell_type == "markdown"), len(cells)
    )
    code = [cell for cell in cells[place + 1 : end] if not FORM.match(cell.source)]
    showing = [cell for cell in code if cell.outputs and not asks(cell)]
    asked = PREDICT.split(cells[place].source)[-1].strip().partition("\n")[0]
    follows = end < len(cells) and PREDICT.search(cells[end].source)
    if not code and not follows:
        return [f"no code follows the prediction: {asked}"]
    found = [f"shows its answer at once: {asked}" for c in showing if not _is_hidden(c)]
    before = "\n".join(t for c in cells[:place] if c.cell_type == "code" for t in printed(c))
    return found + [f"was shown before: {asked}" for c in showing if _is_twin(c, before)]


def _is_hidden(cell: NotebookNode) -> bool:
    return HIDDEN in cell.metadata.get("tags", [])


def _is_twin(cell: NotebookNode, before: str) -> bool:
    """Whether all that the cell prints has been printed before."""
    telling = _telling("\n".join(printed(cell)))
    return len(telling) >= FEWEST and telling <= _telling(before)


def _telling(text: str) -> set[str]:
    """Its numbers that are not round."""
    found = TELLING.findall(text)
    return {number for number in found if len(re.sub(r"\D", "", number).strip("0")) >= DIGITS}
