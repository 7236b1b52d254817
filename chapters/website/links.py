"""Links that an author of a chapter does not write: to chapters, sections and formulas."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

# What is no prose: code, formulas, links, HTML, headings.
PROTECTED = re.compile(
    r"(```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|\[[^\]]*\]\([^)]*\)|<[^>]*>|^#.*?$|^\(.*\)=$)",
    re.DOTALL | re.MULTILINE,
)
NUMBERS = r"\d+(?:(?:,\s+and|,|\s+and|\s+to|\s+or)\s+\d+)*"
CHAPTERS = re.compile(rf"\b(chapters?\s+)({NUMBERS})\b(?!\.?\d)", re.IGNORECASE)
SECTIONS = re.compile(r"\b(section\s+)(\d+\.\d+)\b", re.IGNORECASE)
FORMULAS = re.compile(r"\bF([1-8])\b")
HEADING = re.compile(r"^## (\d+\.\d+) ", re.MULTILINE)


@dataclass(frozen=True)
class Links:
    """What can be linked to: the pages of chapters by number, and the numbers of sections."""

    pages: dict[int, str]
    sections: frozenset[str] = field(default=frozenset())

    def linked(self, text: str, here: int | None = None) -> str:
        """Prose with links. here: the chapter it stands in, which is not linked to."""
        pieces = PROTECTED.split(text)
        once = _Once()
        for place in range(0, len(pieces), 2):
            piece = CHAPTERS.sub(lambda m: self._chapters(m, here), pieces[place])
            piece = _outside_links(piece, SECTIONS, self._section)
            pieces[place] = _outside_links(piece, FORMULAS, once)
        return "".join(pieces)

    def chapter(self, number: int) -> str:
        """A link to a chapter, or its name where it is not there."""
        return self._link(f"chapter {number}", number, None)

    def _chapters(self, match: re.Match, here: int | None) -> str:
        word, numbers = match.groups()
        if numbers.isdigit():
            return self._link(word + numbers, int(numbers), here)
        return word + re.sub(r"\d+", lambda m: self._link(m[0], int(m[0]), here), numbers)

    def _link(self, text: str, number: int, here: int | None) -> str:
        page = self.pages.get(number)
        return text if page is None or number == here else f"[{text}]({page})"

    def _section(self, match: re.Match) -> str:
        if match[2] not in self.sections:
            return match[0]
        return f"[{match[0]}](#{section_id(match[2])})"


class _Once:
    """Links the first mention of a formula in a piece of text and leaves the others."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def __call__(self, match: re.Match) -> str:
        if match[0] in self.seen:
            return match[0]
        self.seen.add(match[0])
        return f"[{match[0]}](#{formula_id(match[0])})"


def _outside_links(text: str, pattern: re.Pattern, change: Callable[[re.Match], str]) -> str:
    pieces = re.split(r"(\[[^\]]*\]\([^)]*\))", text)
    pieces[::2] = [pattern.sub(change, piece) for piece in pieces[::2]]
    return "".join(pieces)


def section_id(number: str) -> str:
    return f"section-{number.replace('.', '-')}"


def formula_id(name: str) -> str:
    return f"formula-{name.lower()}"


def with_section_targets(text: str) -> str:
    """A target before each heading that has a section's number."""
    return HEADING.sub(lambda match: f"({section_id(match[1])})=\n{match[0]}", text)


def links_of(sources: Iterable[Path]) -> Links:
    """All that these chapters' sources can be linked by."""
    pages, sections = {}, set()
    for source in sources:
        pages[int(source.name[:2])] = f"{source.stem}.ipynb"
        sections |= set(re.findall(r"^# ## (\d+\.\d+) ", source.read_text("utf-8"), re.MULTILINE))
    return Links(pages, frozenset(sections))
