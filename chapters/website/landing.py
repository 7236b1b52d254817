"""The first page, with chapters and verdicts."""

from __future__ import annotations

import html
import re
from pathlib import Path

from contents import CHAPTERS

from website import example_report, explorables, repository, result, verdicts
from website.chapter import Chapter, effort

TEXT = Path(__file__).with_name("landing.md")
ROW = re.compile(r"^\| \[[^\]]+\]\(chapters/(\d\d)_\w+\.ipynb\) \| (.+?) \|", re.MULTILINE)


def page(chapters: list[Chapter], readme: str) -> str:
    """The landing page as Markdown: landing.md with the chapters in it, and the tree of pages."""
    contributing = (CHAPTERS.parent / "CONTRIBUTING.md").read_text("utf-8")
    rows = "\n".join(_row(chapter, questions(readme)) for chapter in chapters)
    stems = "\n".join(chapter.source.stem for chapter in chapters)
    return TEXT.read_text("utf-8").format(
        chapters=f'<ol class="chapters" start="0">\n{rows}\n</ol>',
        first=f"{chapters[0].source.stem}.html",
        stems=stems,
        verdicts=verdicts.table(),
        explorable=explorables.markup(["drag_the_student"])[0],
        result=result.figure(example_report.report()),
        elsewhere=repository.doors(contributing, chapters[0].source.stem),
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
