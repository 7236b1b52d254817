"""The contents of the printed book, with page numbers.

A browser knows the number of a page only while it prints it. So the book is printed twice: from the
first print it is read where each part begins, and the second has the numbers. They take the same room
either way, so nothing moves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import unquote

from bs4 import BeautifulSoup, Tag
from pypdf import PdfReader

HEADINGS = {"h1": 1, "h2": 2}


def contents(parts: Iterable[Tag], deep: Iterable[str]) -> Tag:
    """A section with a line for each part of the book, and for the sections of some.

    Args:
        parts: the articles, in their order, with unique ids on them and on their sections.
        deep: the ids of those whose sections are listed too.
    """
    soup = BeautifulSoup('<section id="contents"><h1>Contents</h1></section>', "html.parser")
    listed = soup.new_tag("ol", attrs={"class": "contents"})
    wanted = set(deep)
    for part in parts:
        levels = HEADINGS if part["id"] in wanted else {"h1": 1}
        for heading in part.find_all(list(levels)):
            listed.append(_line(soup, heading, _target(heading, part), levels[heading.name]))
    soup.section.append(listed)
    return soup.section


def _target(heading: Tag, part: Tag) -> str:
    """The id of a heading, given to it here: a section may begin one page before its heading."""
    section = heading.find_parent("section")
    heading["id"] = f"{(part if section is None else section)['id']}--{heading.name}"
    return heading["id"]


def _line(soup: BeautifulSoup, heading: Tag, target: str, level: int) -> Tag:
    line = soup.new_tag("li", attrs={"class": f"level-{level}"})
    link = soup.new_tag("a", attrs={"href": f"#{target}"})
    title, page = soup.new_tag("span"), soup.new_tag("span", attrs={"class": "page"})
    title.string = heading.get_text().strip()
    page.string = ""
    link.extend([title, page])
    line.append(link)
    return line


def places(pdf: Path) -> dict[str, int]:
    """{id: number of its page, from 1} of everything in a printed book that a link leads to."""
    reader = PdfReader(pdf)
    found = {}
    for name, place in reader.named_destinations.items():
        number = reader.get_destination_page_number(place)
        if number is not None and number >= 0:
            found[unquote(name.removeprefix("/"))] = number + 1
    return found


def numbered(page: str, numbers: Mapping[str, int]) -> str:
    """The page with its contents' numbers. LookupError for a line that leads nowhere."""
    soup = BeautifulSoup(page, "html.parser")
    for link in soup.select("ol.contents a"):
        target = link["href"].removeprefix("#")
        if target not in numbers:
            raise LookupError(f"the printed book has no place {target!r}")
        link.select_one(".page").string = str(numbers[target])
    return str(soup)
