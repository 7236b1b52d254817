"""Search in a real browser: what the first hit is, and that hits are sections that are there."""

from urllib.parse import quote

import pytest
from docutils import nodes
from sphinx.search.en import SearchEnglish
from website import search

LINKS = "links => links.map((link) => link.getAttribute('href'))"


@pytest.fixture(scope="module")
def hits(browser, website):
    """hits("label noise"): where the results lead, in their order."""
    page = browser.new_page()
    page.set_default_timeout(120_000)

    def found(query):
        page.goto(f"{website.resolve().as_uri()}/search.html?q={quote(query)}")
        page.wait_for_function(
            "() => /^(Found|Nothing)/.test(document.querySelector('.search-summary')?.textContent)"
        )
        return page.locator("#search-results li a").evaluate_all(LINKS)

    yield found
    page.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("reverse KL", "04_kl_divergence.html#section-4-5"),
        ("KL(P‖Q)", "04_kl_divergence.html#section-4-5"),
        ("KL(Q||P)", "04_kl_divergence.html#section-4-5"),
        ("λ", "05_the_lambda_tradeoff.html#"),
        ("D'", "02_the_objective.html#section-2-3"),
        ("temperature", "01_teacher_and_student.html#section-1-4"),
        ("loss is negative", "misconceptions.html#misconception-probs-for-log-probs"),
        ("exposure bias", "09_on_policy.html#section-9-"),
        ("label noise", "06_noisy_labels.html#section-6-"),
        ("top-k", "08_at_scale.html#section-8-4"),
        ("capacity gap", "11_data_size_patience.html#section-11-3"),
        ("weak to strong", "10_weak_to_strong.html"),
        ("forward_kl", "api/losses.html#kdlib.losses.divergences.forward_kl"),
        ("temperat", "01_teacher_and_student.html#section-1-4"),
    ],
)
def test_the_first_hit(hits, query, first):
    assert hits(query)[0].startswith(first)


@pytest.mark.slow
def test_what_is_not_there_is_said(hits):
    assert hits("zyzzyva") == hits("***") == hits("'\"<>") == []


@pytest.mark.slow
@pytest.mark.parametrize("query", ["student", "divergence"])
def test_a_hit_leads_to_a_place_that_is_there(hits, look, query):
    opened = look("index.html")
    for href in hits(query):
        path, _, anchor = href.partition("#")
        opened.goto(path)
        there = "(id) => !id || document.getElementById(id) !== null"
        assert opened.run(there, anchor), href


@pytest.mark.slow
def test_chapters_come_before_the_pages_of_the_package(hits):
    found = hits("entropy")
    places = [place for place, href in enumerate(found) if href[:2].isdigit()]
    package = [place for place, href in enumerate(found) if href.startswith("api/")]
    assert places[0] == 0 and places[2] < min(package, default=99)


@pytest.mark.slow
def test_the_keyboard_leads_from_any_page_to_the_results(look):
    page = look("index.html")
    page.page.keyboard.press("Control+k")
    page.page.keyboard.type("reverse KL")
    page.page.keyboard.press("Enter")
    page.page.wait_for_url("**/search.html?q=reverse*")
    page.page.locator("#search-results li a").first.wait_for()
    context = page.page.locator("#search-results li .context").first.inner_text()
    assert len(context) > 60 and "System Settings" not in context
    assert page.complaints == [] and page.asked == []


# ---------------------------------------------------------------- the index, without a browser


def document(*sections):
    made = nodes.document(None, None)
    top = nodes.section("", nodes.title("", "The page"), ids=["the-page"])
    top += nodes.paragraph("", "First words.")
    for name, text in sections:
        part = nodes.section("", nodes.title("", name), ids=[name.lower()])
        part += nodes.paragraph("", text)
        top += part
    made += top
    return made


def test_a_section_has_its_own_words_and_none_of_those_within_it():
    found = list(search.entries("04_kl", document(("One", "alpha"), ("Two", "beta"))))
    assert [(e.anchor, e.title, e.text) for e in found] == [
        ("", "The page", "First words."),
        ("one", "The page > One", "alpha"),
        ("two", "The page > Two", "beta"),
    ]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("KL(P‖Q)", "klpq"), ("KL(P||Q)", "klpq"), (r"\mathrm{KL}(P \,\|\, Q)", "klpq"),
        ("KL(Q‖P)", "klqp"), ("KL(Q || P)", "klqp"), ("D'", "dprime"), (r"D^\prime", "dprime"),
        ("D′", "dprime"), ("λ", "lambda"), ("α", "alpha"),
    ],
)  # fmt: skip
def test_a_symbol_is_found_by_its_name_however_it_is_written(text, name):
    language = SearchEnglish({})
    assert language.stem(name) in set(search.stems(text, language))


def test_what_a_cell_has_printed_is_not_indexed():
    made = document(("One", "alpha"))
    output = nodes.container("", nodes.literal_block("", "printed"), nb_element="cell_code_output")
    made.next_node(nodes.section).append(output)
    assert all("printed" not in e.text for e in search.entries("04_kl", made))


def test_a_word_in_a_title_counts_more():
    entries = list(search.entries("04_kl", document(("Alpha", "beta beta"), ("Two", "alpha"))))
    words = search.index(entries, SearchEnglish({}))["words"]
    assert words["alpha"] == [1, 4, 2, 1] and words["beta"] == [1, 2]
