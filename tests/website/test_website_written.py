"""A written answer on a page: write, see the model answer, tick, and be told what is missing.

The forms stand on a page of their own here; see forms_page.py.
"""

import forms_page
import pytest
from look import AXE
from website.cards import card, solution
from website.quizzes import form, quiz_id

from kdlib.exercises import exercises, misconception

pytestmark = pytest.mark.slow

WRITTEN = [e for e in exercises().values() if e.kind == "written"]
ANSWER = "There are more than a handful of words in this answer, and little else."


@pytest.fixture
def page(browser, tmp_path):
    """A page with the form of every exercise, in a browser that has no network."""
    context = browser.new_context(offline=True)
    opened = context.new_page()
    opened.complaints = []
    opened.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.goto(forms_page.write(tmp_path).as_uri())
    yield opened
    assert opened.complaints == []
    context.close()


@pytest.fixture
def of(page):
    return lambda e: page.locator(f"#{quiz_id(e)}")


def said(one):
    return [
        line.strip() for line in one.locator("output").inner_text().splitlines() if line.strip()
    ]


def test_there_are_some():
    assert len(WRITTEN) >= 1


@pytest.mark.parametrize("e", WRITTEN, ids=lambda e: e.id)
def test_the_model_answer_comes_after_the_readers(of, e):
    one = of(e)
    button, marking = one.get_by_role("button"), one.locator(".marking")
    assert button.inner_text() == "Show the model answer"
    one.get_by_role("textbox", name="Your answer").fill("I do not know")
    button.click()
    assert said(one)[0] == "○ no answer yet" and not marking.is_visible()
    one.get_by_role("textbox").fill(ANSWER)
    button.click()
    assert marking.is_visible() and "Model answer" in marking.inner_text()
    assert said(one)[0] == "✎ written; now mark it yourself"
    assert one.get_by_role("checkbox", checked=True).count() == 0
    assert one.get_by_role("textbox").input_value() == ANSWER


@pytest.mark.parametrize("e", WRITTEN, ids=lambda e: e.id)
def test_what_is_not_ticked_is_named_as_in_the_notebook(of, e):
    one = of(e)
    one.get_by_role("textbox").fill(ANSWER)
    button, boxes = one.get_by_role("button"), one.get_by_role("checkbox")
    button.click()
    for missing in range(len(e.rubric)):
        for place in range(len(e.rubric)):
            boxes.nth(place).set_checked(place != missing)
        button.click()
        point, lines = e.rubric[missing], said(one)
        assert lines[0] == f"✎ self-marked, {len(e.rubric) - 1} of {len(e.rubric)} points"
        assert lines[1:4] == [
            f"Point {missing + 1}: not yet: {misconception(point.misconception).name}",
            f"Seen: {e.wrongs[missing].seen}",
            f"Expected: {point.text}",
        ]
        link = one.locator("output a").get_attribute("href")
        assert link.endswith(f"#misconception-{point.misconception}")
    boxes.nth(len(e.rubric) - 1).check()
    button.click()
    assert said(one) == [f"✎ self-marked, {len(e.rubric)} of {len(e.rubric)} points"]


def test_it_works_from_the_keyboard(page, of):
    one = of(WRITTEN[0])
    one.get_by_role("textbox").focus()
    page.keyboard.type(ANSWER)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # the button
    page.keyboard.press("Shift+Tab")  # back to the last box, which stands before it
    page.keyboard.press("Space")
    assert one.get_by_role("checkbox").last.is_checked()


def test_all_of_it_is_accessible(page, vendor):
    """axe looks at what is shown only, so all forms are opened first."""
    page.add_script_tag(content=vendor(AXE).read_text("utf-8"))
    for e in WRITTEN:
        page.locator(f"#{quiz_id(e)} textarea").fill(ANSWER)
        page.locator(f"#{quiz_id(e)} button").click()
    found = page.evaluate("() => axe.run({resultTypes: ['violations']})")["violations"]
    assert [(f["id"], f["nodes"][0]["html"]) for f in found if f["impact"] != "minor"] == []


@pytest.mark.parametrize("e", WRITTEN, ids=lambda e: e.id)
def test_card_and_solution_are_those_of_an_exercise(e):
    shown = card(e)
    assert "\n\n" not in form(e), "Markdown would end the form at a blank line"
    assert "a few sentences" in shown and 'class="quiz"' in shown
    assert shown.count("<summary>Hint") == len(e.hints)
    assert "```" not in solution(e) and solution(e).count("<li>") == len(e.rubric)
