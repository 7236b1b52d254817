"""The first page, with chapters and verdicts, and the table of all exercises."""

from __future__ import annotations

import html
import re
from pathlib import Path

from kdlib.exercises.kinds.card import title
from website import cards, explorables, verdicts
from website.chapter import Chapter, effort
from website.links import Links

TEXT = Path(__file__).with_name("landing.md")
ROW = re.compile(r"^\| \[[^\]]+\]\(chapters/(\d\d)_\w+\.ipynb\) \| (.+?) \|", re.MULTILINE)
KINDS_OF_QUIZ = ("choice", "number", "written")


def page(chapters: list[Chapter], readme: str) -> str:
    """The landing page as Markdown: landing.md with the chapters in it, and the tree of pages."""
    rows = "\n".join(_row(chapter, questions(readme)) for chapter in chapters)
    stems = "\n".join(chapter.source.stem for chapter in chapters)
    return TEXT.read_text("utf-8").format(
        chapters=f'<ol class="chapters" start="0">\n{rows}\n</ol>',
        first=f"{chapters[0].source.stem}.html",
        stems=stems,
        verdicts=verdicts.table(),
        explorable=explorables.markup(["drag_the_student"])[0],
    )


def questions(readme: str) -> dict[int, str]:
    """Each chapter's question, from the README's table: it stands there and nowhere else."""
    return {int(number): question for number, question in ROW.findall(readme)}


def _row(chapter: Chapter, asked: dict[int, str]) -> str:
    name = chapter.title.partition(". ")[2] or chapter.title
    question = html.escape(asked.get(chapter.number, ""), quote=False)
    facts = " ".join(f"<span>{fact}</span>" for fact in effort(chapter.exercises))
    return (
        f'<li><a href="{chapter.source.stem}.html"><span class="number">{chapter.number}</span> '
        f'<span class="title">{html.escape(name, quote=False)}</span> '
        f'<span>{question}</span></a> <small class="facts">{facts}</small></li>'
    )


def exercises_page(chapters: list[Chapter], links: Links) -> str:
    """All exercises, chapter by chapter, as Markdown."""
    parts = [
        "# Exercises",
        "Quizzes can be answered on the page, and so can what asks for a few sentences, which you "
        "mark yourself. The others are solved in the notebook, where "
        "`.check(answer)` judges them and names the mistake.",
    ]
    for chapter in (chapter for chapter in chapters if chapter.exercises):
        rows = "\n".join(
            f"| [{title(e.id)}](#{cards.card_id(e)}) | {_kind(e.kind)} "
            f"| {cards.dots(e.difficulty)} | {e.minutes} |"
            for e in chapter.exercises
        )
        head = "| exercise | kind | difficulty | minutes |\n|---|---|---|---|"
        parts += [f"## {chapter.title}", f"{head}\n{rows}"]
    return "\n\n".join(parts) + "\n"


def _kind(kind: str) -> str:
    return f"{kind}, on the page" if kind in KINDS_OF_QUIZ else kind
