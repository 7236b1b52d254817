"""Figures that a reader moves, and how they get onto a page.

A figure is a script in static/explorables/, with its pure functions on top; a test compares them with
kdlib. This file puts it into a page, with the settings that the script reads and with a still picture
in its place, for paper and for pages without scripts; explorables_data.py has these. On a page a
figure takes the place of the chapter's cell that shows it. stored_explorables.py makes what a notebook
shows there.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence

import nbformat
from nbformat import NotebookNode

from kdlib.plots import svg
from website.explorable import Explorable
from website.explorables_data import EXPLORABLES

FOLDER = "_static/explorables"
NUMBER = re.compile(r"\d+\.\d{3,}")  # of a drawing, more exact than an eye
SHOWN = re.compile(r'^explorable\("(\w+)"\)$', re.MULTILINE)  # a chapter's cell does


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
    still = re.sub(r"\s*\n\s*", " ", shortened(svg(about.still())))
    return still.replace("*{", ".fallback *{", 1)


def shortened(drawing: str) -> str:
    """An SVG whose numbers are no more exact than an eye."""
    return NUMBER.sub(lambda number: f"{float(number[0]):.2f}", drawing)


def placed(cells: list[NotebookNode]) -> list[NotebookNode]:
    """The cells of a chapter's page with its explorables among them."""
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
