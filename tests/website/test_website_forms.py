"""The forms of orders and blanks: filled in with a keyboard, judged, told of the mistake and of hints."""

import forms_page
import pytest
from look import AXE
from website.cards import card, solution
from website.quizzes import form, quiz_id

from kdlib.exercises import exercise, exercises, misconception

pytestmark = pytest.mark.slow

OF = {kind: [e for e in exercises().values() if e.kind == kind] for kind in ("ordering", "derivation")}  # fmt: skip
named = {"ids": lambda e: e.id}


@pytest.fixture
def page(browser, tmp_path):
    context = browser.new_context(offline=True)
    opened = context.new_page()
    complaints = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto(forms_page.write(tmp_path).as_uri())
    yield opened
    assert complaints == []
    context.close()


def lines(one):
    said = one.locator("output").inner_text().splitlines()
    return [line.strip() for line in said if line.strip()]


def letters(one):
    return "".join(one.locator("li").evaluate_all("items => items.map((i) => i.dataset.letter)"))


def arrange(one, wanted):
    """Move items up, from the first place on, until they stand as wanted."""
    for place, letter in enumerate(wanted):
        while letters(one).index(letter) > place:
            one.get_by_role("button", name=f"Move ({letter}) up").click()


@pytest.mark.parametrize("e", OF["ordering"], **named)
def test_an_order_is_moved_into_place_and_judged(page, e):
    one = page.locator(f"#{quiz_id(e)}")
    check = one.get_by_role("button", name="Check")
    check.click()
    assert lines(one) == ["○ no answer yet"]
    for wrong in e.wrongs:
        arrange(one, wrong.example)
        check.click()
        name = misconception(wrong.misconception).name
        assert lines(one)[:3] == [
            f"✗ not yet: {name}",
            f"Seen: {wrong.seen}",
            f"Expected: {wrong.expected}",
        ]
    arrange(one, e.letters)
    check.click()
    assert lines(one)[0] == "✓ correct"


def test_a_moved_item_keeps_the_focus_and_says_where_it_is(page):
    e = exercise("four-students")
    one = page.locator(f"#{quiz_id(e)}")
    one.get_by_role("button", name="Move (c) up").focus()
    page.keyboard.press("Enter")
    assert letters(one) == "acbd" and lines(one) == ["(c) is now 2 of 4."]
    page.keyboard.press("Space")
    assert letters(one) == "cabd" and lines(one) == ["(c) is now 1 of 4."]
    page.keyboard.press("Enter")  # it cannot go up any more: the other button has the focus
    assert letters(one) == "acbd"


@pytest.mark.parametrize("e", OF["derivation"], **named)
def test_blanks_are_filled_and_judged(page, e):
    one = page.locator(f"#{quiz_id(e)}")
    boxes = one.get_by_role("textbox")
    assert boxes.count() == len(e.blanks)
    for wrong in e.wrongs:
        for place, text in enumerate(wrong.example):
            boxes.nth(place).fill(text)
        assert lines(one) == [], "a verdict is about the answer that was checked"
        boxes.last.press("Enter")
        assert lines(one)[1] == f"Seen: {wrong.seen.replace('`', '')}"
        link = one.locator("output a").get_attribute("href")
        assert link == f"misconceptions.html#misconception-{wrong.misconception}"
    for place, text in enumerate(e.right_answers()[0]):
        boxes.nth(place).fill(text)
    boxes.first.press("Enter")
    assert lines(one)[0] == "✓ correct"
    boxes.last.fill("")
    boxes.first.press("Enter")
    assert lines(one) == ["○ no answer yet", f"Blank [{len(e.blanks)}] is still open."]


@pytest.mark.parametrize("e", [*OF["ordering"], *OF["derivation"]], **named)
def test_the_form_shows_no_answer(page, e):
    shown = page.locator(f"#{quiz_id(e)}").inner_text()
    assert "correct" not in shown
    if e.kind == "derivation":
        assert not any(text in shown for blank in e.blanks for text in blank if len(text) > 3)
    else:
        assert letters(page.locator(f"#{quiz_id(e)}")) == "".join(sorted(e.letters)) != e.letters


@pytest.mark.parametrize("e", [*OF["ordering"], *OF["derivation"]], **named)
def test_card_and_solution_are_those_of_an_exercise(e):
    assert "\n\n" not in form(e), "Markdown would end the form at a blank line"
    assert card(e).count("<summary>Hint") == len(e.hints)
    assert solution(e).count("<li>") == len(e.items if e.kind == "ordering" else e.blanks)


def test_all_of_it_is_accessible(page, vendor):
    page.add_script_tag(content=vendor(AXE).read_text("utf-8"))
    for e in (*OF["ordering"], *OF["derivation"]):
        page.locator(f"#{quiz_id(e)} button[type=submit]").click()
    found = page.evaluate("() => axe.run({resultTypes: ['violations']})")["violations"]
    assert [(f["id"], f["nodes"][0]["html"]) for f in found if f["impact"] != "minor"] == []
