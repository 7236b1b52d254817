"""Predict, then see: a form before what answers, kept in the browser; without data the reader judges."""

import contents
import predictions
import pytest
from website.chapter import Chapter

pytestmark = pytest.mark.slow

CHAPTERS = {
    f"{source.stem}.html": Chapter(source, None)
    for source in contents.sources()
    if source.with_suffix(".ipynb").exists()
}
PAGE = "04_kl_divergence.html"
SAID = "half as much is further away"


def asked(notebook):
    """How many texts ask for a prediction and have an output that answers."""
    answers, found, waiting = set(map(id, predictions.answering(notebook.cells))), 0, False
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            waiting = bool(predictions.PREDICT.search(cell.source))
        elif waiting and id(cell) in answers:
            found, waiting = found + 1, False
    return found


@pytest.mark.parametrize("page", CHAPTERS)
def test_each_prediction_has_its_form(look, page):
    opened = look(page)
    notebook = CHAPTERS[page].notebook()
    assert count(opened.page) == asked(notebook)
    typed = opened.page.locator("form.prediction fieldset.guess:not(.words)").count()
    assert typed == len(predictions.answers(notebook.cells))
    code = opened.page.locator("pre")  # chapter 0 speaks of them in its text
    assert code.filter(has_text='predict("').count() == 0
    assert code.filter(has_text="foreseen(").count() == 0
    assert opened.complaints == []


def first(page):
    """The first form without data, and the button of the outputs that answer it."""
    form = page.locator("form.prediction", has=page.locator("fieldset.words")).first
    cells = form.locator("xpath=following-sibling::div[contains(@class, 'cell')]")
    return form, cells.locator("summary").first


def count(page):
    return page.locator("form.prediction").count()


def test_a_prediction_opens_its_answer_is_kept_judged_and_counted(look):
    page = look(PAGE).page
    form, answer = first(page)
    assert not form.get_by_text("Was it so?").is_visible()
    form.locator("input[type=text]").fill(SAID)
    form.get_by_role("button", name="Commit").click()
    assert answer.locator("..").get_attribute("open") is not None
    assert not form.get_by_role("button", name="Commit").is_visible()
    form.get_by_label("I foresaw it").check()
    total = page.locator(".foreseen")
    assert total.inner_text() == (
        f"You foresaw 1 of the 1 that you have looked up; {count(page) - 1} not made."
    )
    page.reload()
    assert form.locator("input[type=text]").input_value() == SAID
    assert total.inner_text().startswith("You foresaw 1 of the 1")


def test_who_commits_to_nothing_is_told_so(look):
    page = look(PAGE).page
    form, answer = first(page)
    form.get_by_role("button", name="Commit").click()
    assert form.locator("output").inner_text() == "Write what you expect, or press Show me."
    assert answer.locator("..").get_attribute("open") is None


@pytest.mark.parametrize("way", ["Show me", "the output itself"])
def test_who_looks_first_has_made_no_prediction(look, way):
    page = look(PAGE).page
    form, answer = first(page)
    (form.get_by_role("button", name=way) if way == "Show me" else answer).click()
    # The browser tells of an opened output when it gets to it: what follows from that is waited for.
    form.locator("output").get_by_text("without a prediction").wait_for()
    assert form.locator("input[type=text]").is_disabled()
    assert not form.get_by_text("Was it so?").is_visible()
    assert page.locator(".foreseen").inner_text().endswith("none made yet.")
    answer.click()
    form.locator("input[type=text]:enabled").wait_for()


def test_the_keyboard_is_enough(look):
    page = look(PAGE).page
    form, _ = first(page)
    form.locator("input[type=text]").focus()
    page.keyboard.type(SAID)
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")  # the focus rests beside what comes next
    page.keyboard.press("ArrowRight")
    assert form.get_by_label("I did not").is_checked()
    assert page.locator(".foreseen").inner_text().startswith("You foresaw 0 of the 1")


@pytest.mark.parametrize(
    "damaged",
    ["null", "[]", "7", '"x"', "{", '{"a": null}', '{"a": {"said": 7}}', '{"__proto__": 1}'],
)
def test_what_is_damaged_is_as_if_nothing_was_kept(look, damaged):
    opened = look(PAGE)
    key = f"kdlib:predictions:{PAGE.removesuffix('.html')}"
    opened.run("([key, text]) => localStorage.setItem(key, text)", [key, damaged])
    opened.page.reload()
    assert opened.page.locator(".foreseen").inner_text().endswith("none made yet.")
    form, answer = first(opened.page)
    form.locator("input[type=text]").fill('<b>"twice" & more</b> 😀')
    form.get_by_role("button", name="Commit").click()
    opened.page.reload()
    assert form.locator("input[type=text]").input_value() == '<b>"twice" & more</b> 😀'
    assert opened.complaints == []


def test_without_javascript_the_page_asks_nothing(browser, website):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{website.resolve().as_uri()}/{PAGE}")
    assert page.locator("form.prediction").count() == 0
    page.locator("details.hide summary").first.click()
    assert page.locator("details.hide[open]").count() == 1
    context.close()


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([{}, {}], "2 predictions to make, none made yet."),
        ([{"said": "x", "foresaw": "yes"}], "You foresaw 1 of the 1 that you have looked up."),
        (
            [{"said": "x", "foresaw": "no"}, {"said": "y"}, {}],
            "You foresaw 0 of the 1 that you have looked up; 1 made and not looked up; 1 not made.",
        ),
    ],
)
def test_the_tally(look, entries, words):
    assert look("index.html").run("(all) => window.predictions.tally(all)", entries) == words
