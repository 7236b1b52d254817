"""The whole book on paper: contents, all pages in one, solutions at the end, printed by Chromium."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from bs4 import BeautifulSoup, Tag

from website.browser import MISSING, chromium, switches
from website.contents_pages import contents, numbered, places
from website.vendor import Unavailable

LOOK_UP = ("notation", "glossary", "misconceptions")  # printed after the chapters
MINUTES = 5  # that one print may take


def pdf(website: Path, target: Path) -> Path:
    """Print a built website, twice for the numbers in its contents. Unavailable without Chromium."""
    program = chromium()
    if program is None:
        raise Unavailable(MISSING)
    whole = one_page(website)
    _print(program, website, whole, target)
    _print(program, website, numbered(whole, places(target)), target)
    return target


def _print(program: str, website: Path, text: str, target: Path) -> None:
    """Print a page that lies, as long as this takes, beside the others of the website."""
    page = website / "print.html"
    page.write_text(text, "utf-8")
    with tempfile.TemporaryDirectory() as profile:
        command = [
            program,
            "--headless",
            *switches(),
            f"--user-data-dir={profile}",
            "--no-pdf-header-footer",
            "--generate-pdf-document-outline",
            "--virtual-time-budget=60000",  # milliseconds, for the formulas to be drawn
            f"--print-to-pdf={target}",
            page.resolve().as_uri(),
        ]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=60 * MINUTES)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            raise Unavailable(f"Chromium could not print the book: {error.stderr}") from None
        finally:
            page.unlink()


def one_page(website: Path) -> str:
    """Every page of the book one after the other, as one HTML page in the website's folder."""
    first = _soup(website / "index.html")
    names = ["index", *_chapters(first), *LOOK_UP]
    articles = {name: _article(website / f"{name}.html") for name in names}
    appendix = BeautifulSoup("<section><h1>Solutions</h1></section>", "html.parser")
    for name, article in articles.items():
        _to_appendix(article, appendix.section)
        _rename(article, name, names)
    whole = _soup(website / f"{names[1]}.html")
    whole.html["data-theme"] = whole.html["data-mode"] = "light"
    whole.body.clear()
    whole.body["class"] = "paper"
    main = whole.new_tag("article", attrs={"class": "bd-article bd-content"})
    solutions = appendix.section
    solutions["id"] = "solutions"
    parts = list(articles.values())
    listed = contents([*parts[1:], solutions], deep=_chapters(first))
    main.extend([parts[0], listed, *parts[1:], solutions])
    whole.body.append(main)
    whole.title.string = first.h1.get_text().rstrip("#")
    return str(whole)


def _soup(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text("utf-8"), "html.parser")


def _chapters(index: BeautifulSoup) -> list[str]:
    return [link["href"].removesuffix(".html") for link in index.select("ol.chapters a")]


def _article(path: Path) -> Tag:
    article = _soup(path).select_one("article.bd-article")
    article.name = "section"
    for gone in article.select("a.headerlink, script, form.quiz button, .on-screen"):
        gone.decompose()
    for hidden in article.select("details.hide, details.prelude"):  # nothing can be opened on paper
        hidden.summary.decompose()
        hidden.unwrap()
    return article


def _to_appendix(article: Tag, appendix: Tag) -> None:
    """Solutions leave their exercise for the end of the book; hints are for the screen."""
    for hint in article.select("details.hint"):
        hint.decompose()
    for solution in article.select("details.solution"):
        exercise = solution["id"].removeprefix("solution-")
        title = article.select_one(f"#exercise-{exercise} .admonition-title")
        solution.summary.replace_with(_tag(f"<h4>{title.get_text() if title else exercise}</h4>"))
        link = f'<a href="#{solution["id"]}">Solution</a>'
        solution.replace_with(_tag(f'<p class="facts">{link}</p>'))
        solution.name = "div"
        appendix.append(solution)


def _rename(article: Tag, page: str, pages: list[str]) -> None:
    """Make ids unique and links lead within the one page; links elsewhere become text."""
    for tag in article.select("[id]"):
        tag["id"] = _unique(page, tag["id"])
    for link in article.select("a[href]"):
        place = urlsplit(link["href"])
        to = place.path.removesuffix(".html") or page
        if place.fragment.startswith("solution-"):
            continue
        if place.scheme or to not in pages:
            link.unwrap()
        else:
            link["href"] = f"#{_unique(to, place.fragment)}" if place.fragment else f"#{to}"
    article["id"] = page


def _unique(page: str, identity: str) -> str:
    return f"{page}--{identity}"


def _tag(markup: str) -> Tag:
    return BeautifulSoup(markup, "html.parser").contents[0]
