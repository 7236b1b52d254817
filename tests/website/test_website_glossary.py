"""Links from the chapters to the glossary and back."""

import contents
import pytest
from website import glossary
from website.chapter import Chapter
from website.glossary import FirstMentions
from website.links import Links

LINKS = Links({1: "01_one.ipynb"}, frozenset())


@pytest.mark.parametrize(
    ("text", "linked"),
    [
        ("The forward KL is large.", "The {term}`forward KL <forward KL>` is large."),
        ("**Forward\nKL**, then", "**{term}`Forward KL <forward KL>`**, then"),
        ("forward KL and forward KL", "{term}`forward KL <forward KL>` and forward KL"),
        ("a forward KLs, off-policy-like", "a forward KLs, off-policy-like"),
        ("`forward KL` $forward KL$", "`forward KL` $forward KL$"),
        ("[forward KL](x.md)", "[forward KL](x.md)"),
        ("## On forward KL", "## On forward KL"),
        ("<p>forward KL</p>", "<p>forward KL</p>"),
        (":::{note}\nforward KL\n:::", ":::{note}\nforward KL\n:::"),
        ("The student and its teacher.", "The student and its teacher."),
    ],
)
def test_the_first_mention_is_a_link(text, linked):
    assert FirstMentions().linked(text) == linked


def test_a_term_is_linked_once_on_a_page():
    mentions = FirstMentions()
    assert "{term}" in mentions.linked("exposure bias") and "{term}" not in mentions.linked(
        "exposure bias"
    )


def test_the_longer_term_is_meant():
    assert FirstMentions().linked("weak-to-strong") == "{term}`weak-to-strong <weak-to-strong>`"
    assert "<soft target>" in FirstMentions().linked("a soft target")


def test_definitions_have_links_and_terms_do_not():
    page = glossary.page(LINKS)
    assert "([chapter 1](01_one.ipynb))" in page
    assert all(f"\n{term}\n" in page for term in glossary.terms())
    assert len(glossary.terms()) > 30


@pytest.mark.slow
def test_the_page_leads_to_chapters_and_every_chapter_to_the_page(look):
    opened = look("glossary.html")
    hrefs = "links => links.map((link) => link.getAttribute('href'))"
    out = opened.page.locator("article a").evaluate_all(hrefs)
    assert sum(href[:2].isdigit() for href in out) > 10
    for source in contents.sources():
        chapter = Chapter(source, None)
        if chapter.source.with_suffix(".ipynb").exists() and chapter.number in range(1, 13):
            opened.goto(f"{source.stem}.html")
            assert opened.page.locator("article a[href^='glossary.html#term-']").count() >= 2, (
                source
            )
