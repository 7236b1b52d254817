"""What stands in a page's head and foot, and what a reader does not have to load."""

import gzip
import re
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup
from website.assemble import HERE

pytestmark = pytest.mark.slow

ICON = re.compile(r"fa-(?!solid\b|lg\b|fw\b)[a-z-]+")
DRAWN = """() => [...document.querySelectorAll(".fa-solid, .fas")]
    .filter((icon) => getComputedStyle(icon).maskImage === "none").map((icon) => icon.className)"""


def of(website, page):
    return BeautifulSoup((website / page).read_text("utf-8"), "html.parser")


def test_no_page_says_that_something_is_not_set(website, pages):
    assert [
        page for page in pages if "not set" in of(website, page).select_one("footer").text
    ] == []


def test_every_page_has_an_icon_of_its_own_and_a_title_for_previews(website, pages):
    for page in pages:
        soup = of(website, page)
        assert (website / page).parent.joinpath(soup.select_one("link[rel=icon]")["href"]).exists()
        assert soup.select_one('meta[property="og:title"]')["content"]


def test_chapters_describe_themselves_in_their_own_words(website, pages):
    chapters = [page for page in pages if re.match(r"\d\d_", page)]
    said = [of(website, p).select_one("meta[name=description]")["content"] for p in chapters]
    assert len(set(said)) == len(chapters) > 10
    assert all(40 <= len(words) <= 162 for words in said)


def test_no_page_loads_a_script_for_icons_and_each_icon_is_drawn(website, pages):
    drawn = set(
        re.findall(r"^\.(fa-[a-z-]+) \{\n  --icon", (HERE / "static/icons.css").read_text(), re.M)
    )
    assert not list(website.rglob("fontawesome.js"))
    for page in pages:
        soup = of(website, page)
        assert not soup.select('script[src*="fontawesome"]')
        used = {name for tag in soup.select(".fa-solid, .fas") for name in tag["class"]}
        assert {name for name in used if ICON.fullmatch(name)} <= drawn


def test_only_the_search_page_loads_the_index_of_words(website, pages):
    loads = [page for page in pages if of(website, page).select('script[src$="searchindex.js"]')]
    assert loads == ["search.html"]


def sent(website, files):
    """Bytes of these files as a host sends them: text compressed, all else as it is."""
    kept = (".woff2", ".png", ".bin")
    data = [(website / file).read_bytes() for file in files]
    return sum(
        len(text if file.endswith(kept) else gzip.compress(text, 6))
        for file, text in zip(files, data)
    )


def test_a_chapter_is_sent_in_well_below_a_megabyte(website, look, pages):
    root = f"{website.resolve().as_uri()}/"
    for page in (page for page in pages if re.match(r"\d\d_", page)):
        opened, asked = look("index.html"), set()
        opened.page.on("request", lambda request, asked=asked: asked.add(request.url))
        opened.goto(page)
        files = {unquote(urlsplit(url).path) for url in asked if url.startswith(root)}
        names = sorted(file.removeprefix(f"{website.resolve()}/") for file in files)
        assert page in names and len(names) > 10
        assert not [name for name in names if name.endswith(".woff2")]  # icons are drawn
        assert sent(website, names) < 600_000, page


def test_an_icon_shows_in_the_browser(look):
    opened = look("index.html")
    assert opened.run(DRAWN) == []
    box = opened.page.locator(".fa-bars").first.bounding_box()
    assert box["width"] > 8 and box["height"] > 8


def test_the_list_for_programs_names_every_chapter_and_only_what_is_there(website, pages):
    text = (website / "llms.txt").read_text("utf-8")
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert [link for link in links if not (website / link).exists()] == []
    assert {page for page in pages if re.match(r"\d\d_", page)} <= set(links)
    assert (
        len(re.findall(r"^- .*\.html\): \S.*\?", text, re.M)) >= 13
    )  # with the chapter's question
