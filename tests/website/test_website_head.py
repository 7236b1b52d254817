"""What stands in a page's head and foot, and what a reader does not have to load."""

import re

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
