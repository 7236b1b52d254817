"""The page of notation, made of the section of chapter 0 that explains it: one place to edit."""

from __future__ import annotations

import re

from website.chapter import Chapter
from website.links import Links, formula_id

SECTION = re.compile(r"^## \d+\.\d+ Notation\n(.*)", re.DOTALL)
FORMULA = re.compile(r"^\| (F\d) \| (.+?) \| (.+) \| ([\d, ]+) \|$", re.MULTILINE)
HEAD = re.compile(r"^\| +\| name \|.*\n\|[-|]+\n", re.MULTILINE)
CLOSING = """
P before Q, natural logarithms, log-probabilities in and nats out: {conventions} states every
convention of the book and runs it.
"""


def page(start: Chapter, links: Links) -> str:
    """The page as Markdown. start: the chapter that has the section."""
    cells = [cell.source for cell in start.notebook().cells if cell.cell_type == "markdown"]
    text = next(match[1] for cell in cells if (match := SECTION.match(cell)))
    text = FORMULA.sub(lambda match: formula(*match.groups(), links), HEAD.sub("", text))
    conventions = f"[chapter 0]({links.pages[0]})"
    if "0.5" in links.sections:
        conventions = "[section 0.5](#section-0-5)"
    return f"# Notation\n{text}\n{CLOSING.format(conventions=conventions)}"


def formula(name: str, meaning: str, text: str, chapters: str, links: Links) -> str:
    """One row of the table of formulas as a block of its own, which a narrow screen can scroll."""
    where = ", ".join(links.chapter(int(number)) for number in chapters.split(","))
    return f"\n({formula_id(name)})=\n**{name}, {meaning}** ({where})\n\n{_displayed(text)}\n"


def _displayed(text: str) -> str:
    """A row that is nothing but formulas is displayed; one with words stays a sentence."""
    pieces = re.findall(r"\$([^$]+)\$", text)
    words = re.sub(r"\$[^$]+\$|[,\s]", "", text)
    if words:
        return text
    # Displayed, \Pr would carry its indices above and below itself.
    return "$$\n" + r" ,\qquad ".join(pieces).replace(r"\Pr", r"\Pr\nolimits") + "\n$$"
