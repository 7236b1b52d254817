"""One reader of chapters for all gates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path

import build
import contents
import nbformat
from nbformat import NotebookNode

MARKER = "# exercise: "


@dataclass(frozen=True)
class Chapter:
    """A source and the notebook beside it."""

    source: Path

    @cached_property
    def notebook(self) -> NotebookNode:
        path = self.source.with_suffix(".ipynb")
        if not path.exists():
            return build.read_source(self.source)
        return nbformat.reads(path.read_text("utf-8"), as_version=4)

    @property
    def number(self) -> int:
        return int(self.source.name[:2])

    @property
    def sections(self) -> list[list[NotebookNode]]:
        """The cells under each heading of the second level; first those before any."""
        parts = [[]]
        for cell in self.notebook.cells:
            if cell.cell_type == "markdown" and cell.source.startswith("## "):
                parts.append([])
            parts[-1].append(cell)
        return [part for part in parts if part]

    @property
    def code(self) -> list[NotebookNode]:
        """The code cells."""
        return [cell for cell in self.notebook.cells if cell.cell_type == "code"]


def printed(cell: NotebookNode) -> list[str]:
    """What a code cell says in text: streams, and the plain or markdown twin of what it shows."""
    streams = [output.text for output in cell.outputs if output.output_type == "stream"]
    kinds = ("text/plain", "text/markdown")
    return streams + [data[kind] for data in shown(cell) for kind in kinds if kind in data]


def shown(cell: NotebookNode) -> list[dict]:
    """What a code cell shows beside streams: for each object its forms, by their MIME types."""
    return [output.data for output in cell.outputs if "data" in output]


def is_picture(data: dict) -> bool:
    """Whether what is shown, given in its forms, is an image."""
    html = data.get("text/html", "")
    return any(kind.startswith("image/") for kind in data) or bool(words_of_images(html))


def words_of_images(page: str) -> list[str]:
    """The words of every image and drawing of a page."""
    parser = _Images()
    parser.feed(page)
    return parser.words


class _Images(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        name = {"img": "alt", "svg": "aria-label"}.get(tag)
        if name:
            self.words.append((dict(attributes).get(name) or "").strip())


def is_exercise(cell: NotebookNode) -> bool:
    """Whether the reader is to work in this cell."""
    return cell.source.startswith(MARKER)


def chapters() -> list[Chapter]:
    return [Chapter(source) for source in contents.sources(contents.CHAPTERS)]
