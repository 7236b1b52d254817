"""The printed book's contents: what is listed, and that the numbers are those of the pages."""

import pypdf
import pytest
from bs4 import BeautifulSoup
from website import paper
from website.browser import chromium
from website.contents_pages import contents, numbered, places

BODY = """<section id="one"><h1>1. One</h1><section id="one--a"><h2>1.1 First</h2><p>x</p></section>
<section id="one--b"><div></div><h2>1.2 Second</h2><section id="one--c"><h3>Too deep</h3></section></section></section>
<section id="look"><h1>To look up</h1><section id="look--a"><h2>Not listed</h2></section></section>"""


def parts():
    return BeautifulSoup(BODY, "html.parser").find_all("section", recursive=False)


def test_chapters_are_listed_with_their_sections_and_other_pages_without():
    listed = contents(parts(), deep=["one"])
    lines = [(line["class"], line.a["href"], line.get_text()) for line in listed.select("li")]
    assert lines == [
        (["level-1"], "#one--h1", "1. One"),
        (["level-2"], "#one--a--h2", "1.1 First"),
        (["level-2"], "#one--b--h2", "1.2 Second"),
        (["level-1"], "#look--h1", "To look up"),
    ]


def test_numbers_are_filled_in_and_a_line_that_leads_nowhere_is_an_error():
    page = str(contents(parts(), deep=["one"]))
    known = {"one--h1": 3, "one--a--h2": 3, "one--b--h2": 12, "look--h1": 40}
    filled = BeautifulSoup(numbered(page, known), "html.parser")
    assert [n.get_text() for n in filled.select(".page")] == ["3", "3", "12", "40"]
    with pytest.raises(LookupError, match="look"):
        numbered(page, {key: value for key, value in known.items() if key != "look--h1"})


@pytest.mark.slow
def test_each_number_is_that_of_the_page_where_the_title_stands(tmp_path, browser):
    """Printed, and read back by the words on each page. Without a browser it is skipped."""
    program = chromium()
    # The last section begins at the end of a page, and its heading on the next.
    style = ".bd-article > section, #one--a h2 { break-before: page } div { height: 95vh }"
    made = parts()
    book = "".join(map(str, [contents(made, deep=["one"]), *made]))
    text = f"<!doctype html><style>{style}</style><article class='bd-article'>{book}</article>"
    first, second = tmp_path / "first.pdf", tmp_path / "second.pdf"
    paper._print(program, tmp_path, text, first)
    numbers = places(first)
    paper._print(program, tmp_path, numbered(text, numbers), second)
    words = [page.extract_text() for page in pypdf.PdfReader(second).pages]
    titles = {
        "one--h1": "1. One",
        "one--a--h2": "1.1 First",
        "one--b--h2": "1.2 Second",
        "look--h1": "To look up",
    }
    for target, title in titles.items():
        assert [n for n, page in enumerate(words, 1) if title in page and n > 1] == [
            numbers[target]
        ]
    assert words[0].rstrip().endswith(str(numbers["look--h1"]))
    assert not (tmp_path / "print.html").exists()
