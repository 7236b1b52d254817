"""A notebook as it was handed in: its code cells, and which chapter of the book it is.

A file may hold anything. What cannot be graded is told in a line, and costs no other file.
"""

from __future__ import annotations

import functools
import logging
import re
import warnings
from collections import Counter
from dataclasses import dataclass
from json import JSONDecodeError
from pathlib import Path
from typing import Any

from kdlib.errors import UserError, first_line
from kdlib.exercises.notebooks.solved import CHAPTERS, MARKER, split_cells
from kdlib.exercises.registry import chapters, exercises
from kdlib.files import read_json

ASKED = re.compile(r"""\bexercise\(\s*["']([^"'\n]+)["']""")
TITLE = re.compile(r"^# +(\d+)\. +(.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Cell:
    """A code cell. number: its place among the notebook's code cells, from 1."""

    number: int
    source: str

    @property
    def marked(self) -> str | None:
        """The exercise whose marker the cell carries."""
        match = MARKER.search(self.source)
        return match[1] if match else None

    @property
    def checks(self) -> bool:
        """Whether the cell is there to check an answer."""
        return self.marked is not None or ".check(" in self.source

    @property
    def asked(self) -> tuple[str, ...]:
        """The exercises that the cell names, the marked one first."""
        marked = [self.marked] if self.marked else []
        return tuple(dict.fromkeys([*marked, *ASKED.findall(self.source)]))

    def answers(self, id: str) -> bool:
        """Whether the cell names an exercise, and does more than to show it."""
        return id in self.asked and self.source.strip() != f'exercise("{id}")'


@dataclass(frozen=True)
class Submission:
    """A notebook that can be read.

    chapter: of the book; None for a notebook of no chapter. doubts: what speaks against it.
    """

    path: Path
    cells: tuple[Cell, ...]
    chapter: int | None
    doubts: tuple[str, ...] = ()


def read_submission(path: Path) -> Submission:
    """The notebook in a file (.ipynb, or a percent .py).

    UserError where that cannot be graded; what it says begins with the file's name.
    """
    document = _document(path)
    _refuse_other_languages(path, document.metadata)
    code = [cell.source for cell in document.cells if cell.cell_type == "code"]
    cells = tuple(Cell(number, source) for number, source in enumerate(code, start=1))
    if not any(cell.source.strip() for cell in cells):
        raise UserError(f"{path} holds no code")
    text = "\n".join(cell.source for cell in document.cells if cell.cell_type == "markdown")
    return Submission(path, cells, *_chapter(document.metadata, text, cells))


def _document(path: Path) -> Any:
    import jupytext

    if path.is_dir():
        raise UserError(f"{path} is a folder, not a notebook: name the notebooks in it")
    if not path.exists():
        raise UserError(f"{path} does not exist")
    if not path.is_file():
        raise UserError(f"{path} is not a notebook: it is not a regular file")
    if not path.stat().st_size:
        raise UserError(f"{path} is not a notebook: the file is empty")
    if path.suffix == ".ipynb":
        _refuse_no_json(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of cells without ids, and the like
            logging.getLogger("traitlets").addHandler(logging.NullHandler())
            document = jupytext.read(path)
        assert all(isinstance(cell.source, str) for cell in document.cells), (
            "its cells hold no text"
        )
    except Exception as error:  # jupytext and nbformat raise many kinds
        raise UserError(f"{path} is not a notebook: {_short(error)}") from error
    return document


def _refuse_no_json(path: Path) -> None:
    try:
        content = read_json(path)
    except ValueError as error:
        said = "it breaks off, or is no JSON" if isinstance(error, JSONDecodeError) else str(error)
        raise UserError(f"{path} is not a notebook: {said}") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    if not isinstance(content, dict) or not {"cells", "worksheets"} & content.keys():
        raise UserError(f"{path} is not a notebook: it has no cells")


def _short(error: Exception) -> str:
    """A parser may quote the whole file."""
    text = first_line(error)
    return text if len(text) <= 100 else f"{text[:97]}..."


def _refuse_other_languages(path: Path, metadata: Any) -> None:
    names = (
        _part(metadata, "kernelspec").get("language"),
        _part(metadata, "language_info").get("name"),
    )
    for name in filter(None, names):
        if not str(name).lower().startswith(("python", "ipython")):
            raise UserError(f"{path} is written in {name}, not in Python")


def _part(metadata: Any, name: str) -> dict[str, Any]:
    """A part of a notebook's metadata, which may be missing, or anything."""
    part = metadata.get(name)
    return part if isinstance(part, dict) else {}


def _chapter(
    metadata: Any, text: str, cells: tuple[Cell, ...]
) -> tuple[int | None, tuple[str, ...]]:
    """The chapter, by what `kdlib start` wrote, else by its title, else by its exercises."""
    noted = _part(metadata, "kdlib").get("chapter")
    titles = [int(n) for n, title in TITLE.findall(text) if chapter_titles().get(int(n)) == title]
    home = {e.id: n for n, found in chapters().items() for e in found}
    votes = Counter(home[id] for id in {id for c in cells for id in c.asked} if id in home)
    most = votes.most_common(1)[0][0] if votes else None
    known = [n for n in (noted, *titles[:1], most) if isinstance(n, int) and n in chapter_titles()]
    if not known:
        return None, ()
    chapter = known[0]
    if most is not None and most != chapter:
        return chapter, (f"most of its exercises are chapter {most}'s",)
    return chapter, ()


@functools.cache
def chapter_titles() -> dict[int, str]:
    """The titles of all chapters, by their numbers."""
    found = {}
    for source in sorted(Path(CHAPTERS).glob("[0-9][0-9]_*.py")):
        text = source.read_text("utf-8").replace("\n# ", "\n")
        if match := TITLE.search(text):
            found[int(match[1])] = match[2]
    return found | {n: found.get(n, "") for n in chapters()}


def chapter_of(id: str) -> int:
    """The chapter that has an exercise."""
    return next(n for n, found in chapters().items() if exercises()[id] in found)


@functools.cache
def book_cells() -> frozenset[str]:
    """The code cells of all chapters, as they stand in the book."""
    return frozenset(
        body.strip()
        for path in Path(CHAPTERS).glob("[0-9][0-9]_*.py")
        for head, body in split_cells(path.read_text("utf-8"))
        if head.strip() == "# %%"
    )
