"""Exercise cells in a chapter's source, and the reader's copies: clean, or solved.

A chapter is a jupytext percent file. An exercise's cell is exactly `exercise(id).cell()`; its first
line, `# exercise: <id>`, marks it. A solved chapter is the chapter with each such cell replaced by
`exercise(id).cell(solved=True)`. A test compares, so that no stub drifts from its exercise.
"""

from __future__ import annotations

import re
from pathlib import Path

import kdlib
from kdlib.errors import UserError
from kdlib.exercises.registry import exercise
from kdlib.files import write_atomically

CELL = re.compile(r"^# %%", re.MULTILINE)
MARKER = re.compile(r"^# exercise: (\S+)$", re.MULTILINE)
IN_WHEEL = Path(__file__).parent / "chapters"  # setup.py puts them there
CHAPTERS = IN_WHEEL if IN_WHEEL.is_dir() else Path(kdlib.__file__).parent.parent / "chapters"


def marked_cells(source: str) -> dict[str, str]:
    """The marked cells of a percent file, as {exercise id: text of the cell}."""
    bodies = [body for _, body in split_cells(source)]
    return {match[1]: body.strip() for body in bodies if (match := MARKER.match(body.strip()))}


def solve(source: str) -> str:
    """The same percent file with every exercise's cell solved. ValueError for an unknown id."""
    return "".join(head + _solved(body) for head, body in split_cells(source))


def start(
    folder: Path | str, solved: bool = False, chapters: Path = CHAPTERS, add: bool = False
) -> list[Path]:
    """Copy the chapters into `folder` as clean notebooks to work in. Nothing is overwritten.

    Returns the notebooks that were written. ValueError where there are no chapters, or where a
    notebook of that name is there already; with `add`, that one stays and is passed over.
    """
    import jupytext

    sources = sorted(Path(chapters).glob("[0-9][0-9]_*.py"))
    if not sources:
        raise UserError(f"there are no chapters in {chapters}")
    targets = {Path(folder) / f"{source.stem}.ipynb": source for source in sources}
    there = [target for target in targets if target.exists()]
    if there and not add:
        raise UserError(
            f"already there, and left as they are: {', '.join(map(str, there))}; name another"
            " folder, or --add what is missing in this one"
        )
    for target in there:
        del targets[target]
    Path(folder).mkdir(parents=True, exist_ok=True)
    for target, source in targets.items():
        text = source.read_text("utf-8")
        notebook = jupytext.reads(solve(text) if solved else text, fmt="py:percent")
        notebook.metadata["kdlib"] = {"chapter": int(source.stem[:2])}  # for who grades it
        write_atomically(target, jupytext.writes(notebook, fmt="ipynb"))
    return list(targets)


def split_cells(source: str) -> list[tuple[str, str]]:
    """The file as pairs (cell's head line, body); the first pair is what stands before any cell."""
    starts = [0, *(match.start() for match in CELL.finditer(source))]
    pieces = [source[a:b] for a, b in zip(starts, [*starts[1:], len(source)])]
    cells = []
    for piece in pieces:
        head, newline, body = piece.partition("\n") if piece.startswith("# %%") else ("", "", piece)
        cells.append((head + newline, body))
    return cells


def _solved(body: str) -> str:
    match = MARKER.match(body.lstrip())
    if match is None:
        return body
    gap = body[len(body.rstrip()) :]
    return exercise(match[1]).cell(solved=True) + gap
