"""Figures that a reader moves: where each stands, and how it gets there.

A figure is a script in static/explorables/, with its pure functions on top; a test compares them with
kdlib. This file puts it into a page, with the settings that the script reads and with a still picture
in its place, for paper and for pages without scripts; explorables_data.py has these. The chapters'
sources know nothing of it.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import nbformat
from nbformat import NotebookNode

from kdlib.plots import svg
from website.explorables_data import EXPLORABLES, Explorable

FOLDER = "_static/explorables"
NUMBER = re.compile(r"\d+\.\d{3,}")  # of a drawing, more exact than an eye


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
        made.append(_figure(name, EXPLORABLES[name], wanted))
    return made


def _figure(name: str, about: Explorable, scripts: Iterable[str]) -> str:
    identity = f"explorable-{name.replace('_', '-')}"
    settings = json.dumps(about.settings).replace("<", "\\u003c")
    still = NUMBER.sub(lambda number: f"{float(number[0]):.2f}", svg(about.still()))
    still = re.sub(r"\s*\n\s*", " ", still).replace("*{", ".fallback *{", 1)
    text, rule = (html.escape(words, quote=False) for words in (about.invitation, about.rule))
    lines = [
        f'<figure class="explorable" id="{identity}" data-explorable="{name}" '
        f'aria-labelledby="{identity}-title">',
        f'<figcaption><p><strong id="{identity}-title">{about.title}</strong></p>'
        f'<p class="try">{text}</p></figcaption>',
        f'<div class="stage"></div><div class="fallback">{still}</div>',
        f'<p class="rule try">{rule}</p>',
        f'<script type="application/json">{settings}</script>',
        "</figure>",
        *(f'<script src="{FOLDER}/{script}" defer></script>' for script in scripts),
    ]
    return "\n".join(lines)


def placed(cells: list[NotebookNode], chapter: int) -> list[NotebookNode]:
    """The cells of a chapter's page with its explorables among them."""
    here = [place for place in PLACES if place.chapter == chapter]
    for place, figure in zip(here, markup([place.name for place in here])):
        cell = nbformat.v4.new_markdown_cell(figure, metadata={"website": True})
        cell.id = f"explorable-{place.name.replace('_', '-')}"
        cells = _with_end_of(cells, place.section, cell)
    return cells


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
