"""A chapter's notebook as a page: facts under its title, exercises as cards and quizzes, links."""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from kdlib.exercises import exercise
from kdlib.exercises.kinds.base import Exercise
from website import cards, explorables, folded, predict_forms
from website.glossary import FirstMentions
from website.invitations import INVITATIONS
from website.links import Links, with_section_targets
from website.quizzes import is_quiz

SHOWN = re.compile(r'exercise\("([\w-]+)"\)')
MARKED = re.compile(r"# exercise: ([\w-]+)\n")
ANCHOR = re.compile(r'^<a (?:id|name)="([\w-]+)"></a>\s*$\n*', re.MULTILINE)
NOT_PROSE = re.compile(r"^# NBVAL_\w+\n", re.MULTILINE)
TO_CARD = re.compile(r'<a href="[^"]+" data-card="([\w-]+)">')
TO_NOTEBOOK = re.compile(r'(<a href="\d\d_\w+)\.ipynb(?=[#"])')
NOTEBOOKS = "notebooks"  # the folder with the notebooks that readers take away, not run


@dataclass(frozen=True)
class Chapter:
    """What the website needs to know of a chapter."""

    source: Path
    seconds: int | None

    @property
    def number(self) -> int:
        return int(self.source.name[:2])

    @property
    def title(self) -> str:
        return re.search(r"^# # (.+)$", self.source.read_text("utf-8"), re.MULTILINE)[1]

    @property
    def exercises(self) -> list[Exercise]:
        """The exercises that are set in it, in their order."""
        return [
            exercise(id)
            for id in re.findall(r"^# exercise: ([\w-]+)$", self.source.read_text("utf-8"), re.M)
        ]

    def notebook(self) -> NotebookNode:
        path = self.source.with_suffix(".ipynb")
        return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def page(chapter: Chapter, links: Links, tested_with: str) -> NotebookNode:
    """The notebook that Sphinx is given."""
    notebook = copy.deepcopy(chapter.notebook())
    folded.tag(notebook.cells)
    cells = with_exercises(predict_forms.placed(notebook.cells))
    cells = explorables.placed(cells)
    cells += [_made(text) for number, text in INVITATIONS.items() if number == chapter.number]
    mentions = FirstMentions()
    for cell in cells:
        if cell.cell_type == "markdown" and "website" not in cell.metadata:
            cell.source = mentions.linked(_prose(cell.source, links, chapter.number))
        elif cell.cell_type == "code":
            cell.source = NOT_PROSE.sub("", cell.source)
            link_to_pages(cell.outputs)
    head, line, rest = cells[0].source.partition("\n")
    cells[0].source = f"{head}\n\n{facts(chapter, tested_with)}\n{line}{rest}"
    notebook.cells = cells
    return notebook


def _prose(text: str, links: Links, here: int) -> str:
    text = ANCHOR.sub(lambda match: f"({match[1]})=\n", text)
    return with_section_targets(links.linked(text, here))


def link_to_pages(outputs: Sequence[NotebookNode]) -> None:
    """A verdict links to the notebooks beside its own; on the website these are pages."""
    for output in outputs:
        if markup := output.get("data", {}).get("text/html"):
            markup = TO_CARD.sub(r'<a href="misconceptions.html#misconception-\1">', markup)
            output.data["text/html"] = TO_NOTEBOOK.sub(r"\1.html", markup)


def facts(chapter: Chapter, tested_with: str) -> str:
    """Difficulty, work, time, versions and the notebook itself, in one line."""
    found = [*effort(chapter.exercises)]
    if chapter.seconds:
        found.append(f"runs in about {chapter.seconds} s")
    found += [f"tested with {tested_with}", _download(chapter.source.stem)]
    spans = " ".join(f"<span>{fact}</span>" for fact in found)
    return f'<p class="facts">{spans}</p>'


def effort(exercises: Sequence[Exercise]) -> Iterable[str]:
    """How hard the exercises are on average, how many there are and how long they take."""
    if exercises:
        hard = round(sum(e.difficulty for e in exercises) / len(exercises))
        minutes = sum(e.minutes for e in exercises)
        yield f"difficulty {cards.dots(hard)}"
        yield f"{len(exercises)} exercises, about {duration(minutes)}"


def duration(minutes: int) -> str:
    """To a quarter of an hour: 80 is "1 h 15 min"."""
    hours, rest = divmod(round(minutes / 15) * 15, 60)
    return " ".join(filter(None, (f"{hours} h" if hours else "", f"{rest} min" if rest else "")))


def _download(stem: str) -> str:
    return f'<a href="{NOTEBOOKS}/{stem}.ipynb" download>download the notebook</a>'


# ---------------------------------------------------------------- exercises


def with_exercises(cells: list[NotebookNode]) -> list[NotebookNode]:
    """The cells with each exercise as its card, the cell to fill in and its solution."""
    marked = {match[1] for cell in cells if (match := MARKED.match(cell.source))}
    changed = []
    for cell in cells:
        shown, answer = SHOWN.fullmatch(cell.source.strip()), MARKED.match(cell.source)
        if cell.cell_type == "code" and shown and shown[1] in marked:
            changed.append(_made(cards.card(exercise(shown[1]))))
        elif cell.cell_type == "code" and answer:
            changed += _answer_cells(cell, exercise(answer[1]))
        else:
            changed.append(cell)
    return changed


def _answer_cells(cell: NotebookNode, about: Exercise) -> list[NotebookNode]:
    """A quiz is answered in its card, everything else in the notebook; the verdict is dropped."""
    if is_quiz(about):
        return []
    cell = copy.deepcopy(cell)
    cell.outputs = []
    cell.metadata["tags"] = ["answer-cell"]
    return [cell, _made(cards.solution(about))]


def _made(source: str) -> NotebookNode:
    """A cell of this file's making, which needs no links."""
    cell = nbformat.v4.new_markdown_cell(source)
    cell.metadata["website"] = True
    cell.id = hashlib.sha256(source.encode()).hexdigest()[:12]
    return cell
