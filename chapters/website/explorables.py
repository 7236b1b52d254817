"""Figures that a reader moves: where each stands, and how it gets there.

A figure is a script in static/explorables/, with its pure functions on top; a test compares them with
kdlib. This file puts it into a page, with the settings that the script reads and with a still picture
in its place, for paper and for pages without scripts; explorables_data.py has these. On a page a
figure stands where the chapter's own cell shows it, or at the end of a section in PLACES, of which
the chapter's source knows nothing. stored_explorables.py makes what a notebook shows.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

import nbformat
from nbformat import NotebookNode

from kdlib.plots import svg
from website.explorable import Explorable
from website.explorables_data import EXPLORABLES

FOLDER = "_static/explorables"
NUMBER = re.compile(r"\d+\.\d{3,}")  # of a drawing, more exact than an eye
SHOWN = re.compile(r'^explorable\("(\w+)"\)$', re.MULTILINE)  # a chapter's cell does


@dataclass(frozen=True)
class Place:
    """An explorable stands at the end of a chapter's section, before the exercises that close it."""

    chapter: int
    section: str
    name: str


PLACES = (
    Place(1, "1.4", "temperature"),
    Place(4, "4.1", "drag_the_student"),
    Place(4, "4.2", "simplex"),
    Place(4, "4.5", "one_peak"),
)


def markup(names: Sequence[str]) -> list[str]:
    """The figures of one page as HTML in Markdown, in order; a script is asked for once."""
    asked: set[str] = set()
    made = []
    for name in names:
        wanted = [script for script in EXPLORABLES[name].scripts if script not in asked]
        asked.update(wanted)
        lines = figure(name, f'<div class="fallback">{_still(EXPLORABLES[name])}</div>')
        lines += (f'<script src="{FOLDER}/{script}" defer></script>' for script in wanted)
        made.append("\n".join(lines))
    return made


def figure(name: str, fallback: str = "") -> list[str]:
    """The lines of the figure itself, without its scripts."""
    about, identity = EXPLORABLES[name], f"explorable-{name.replace('_', '-')}"
    settings = json.dumps(about.settings).replace("<", "\\u003c")
    text, rule = (html.escape(words, quote=False) for words in (about.invitation, about.rule))
    return [
        f'<figure class="explorable" id="{identity}" data-explorable="{name}" '
        f'aria-labelledby="{identity}-title">',
        f'<figcaption><p><strong id="{identity}-title">{about.title}</strong></p>'
        f'<p class="try">{text}</p></figcaption>',
        f'<div class="stage"></div>{fallback}',
        f'<p class="rule try">{rule}</p>',
        f'<script type="application/json">{settings}</script>',
        "</figure>",
    ]


def _still(about: Explorable) -> str:
    """The picture for paper and for pages without scripts, in the page's ink."""
    still = NUMBER.sub(lambda number: f"{float(number[0]):.2f}", svg(about.still()))
    return re.sub(r"\s*\n\s*", " ", still).replace("*{", ".fallback *{", 1)


def placed(cells: list[NotebookNode], chapter: int) -> list[NotebookNode]:
    """The cells of a chapter's page with its explorables among them."""
    for place in (place for place in PLACES if place.chapter == chapter):
        cells = _with_end_of(cells, place.section, _cell(place.name))
    cells = [_cell(name) if (name := shown_by(cell)) else cell for cell in cells]
    here = [cell for cell in cells if "explorable" in cell.metadata]
    for cell, made in zip(here, markup([cell.metadata["explorable"] for cell in here])):
        cell.source = made
    return cells


def shown_by(cell: NotebookNode) -> str | None:
    """The name of the explorable that a chapter's cell shows."""
    found = SHOWN.search(cell.source) if cell.cell_type == "code" else None
    return found[1] if found else None


def _cell(name: str) -> NotebookNode:
    """A cell for a figure, still to be drawn: scripts are asked for in the page's order."""
    cell = nbformat.v4.new_markdown_cell("", metadata={"website": True, "explorable": name})
    cell.id = f"explorable-{name.replace('_', '-')}"
    return cell


def _with_end_of(
    cells: list[NotebookNode], section: str, figure: NotebookNode
) -> list[NotebookNode]:
    """The figure after the section's last text or code; what follows may begin in the same cell."""
    begins = re.compile(rf"^## {re.escape(section)} ", re.MULTILINE)
    head = re.compile(r"^## ", re.MULTILINE)
    inside = False
    for number, cell in enumerate(cells):
        if cell.cell_type != "markdown" or cell.metadata.get("website"):
            continue
        start = begins.search(cell.source)
        inside = inside or start is not None
        after = head.search(cell.source, start.end() if start else 0) if inside else None
        if after:
            return _parted(cells, number, after.start(), figure)
    raise LookupError(f"no section {section} with another one after it")


def _parted(
    cells: list[NotebookNode], number: int, at: int, figure: NotebookNode
) -> list[NotebookNode]:
    """The figure before the character `at` of a cell, or further up where exercises come before."""
    cell = cells[number]
    if text := cell.source[:at].rstrip():
        first = nbformat.v4.new_markdown_cell(text, id=f"{cell.id}-a"[:64], metadata=cell.metadata)
        cell.source = cell.source[at:]
        return [*cells[:number], first, figure, *cells[number:]]
    while _is_exercise(cells[number - 1]):
        number -= 1
    return [*cells[:number], figure, *cells[number:]]


def _is_exercise(cell: NotebookNode) -> bool:
    return bool(cell.metadata.get("website")) or "answer-cell" in cell.metadata.get("tags", [])
