"""Forms of predictions: options, a number line, an order; by pointer, by keys, on a phone, kept."""

import re

import pytest

from kdlib.exercises.predictions.data import of_chapter, predictions
from kdlib.exercises.predictions.judging import judge

pytestmark = pytest.mark.slow

PAGE = "04_kl_divergence.html"
CHOICE, NUMBER, ORDER = (predictions()[id] for id in ("04-better-mimic", "04-draws", "04-push"))


def form_of(page, about):
    return page.locator("form.prediction").filter(has=page.get_by_text(about.title, exact=True))


def is_open(form):
    """Whether the first output that answers can be seen."""
    cells = form.locator("xpath=following-sibling::div[contains(@class, 'cell')]")
    answer = cells.locator("details.hide:is(.below-input, .above-output)").first
    return answer.evaluate("(part) => part.open")


def commit(form):
    form.get_by_role("button", name="Commit").click()


def said_of(form):
    return form.locator("output").inner_text()


def test_an_option_by_pointer(look):
    page = look(PAGE).page
    form = form_of(page, CHOICE)
    assert not is_open(form) and form.locator(".is-right").count() == 0
    form.get_by_text(CHOICE.options[1].text).click()
    commit(form)
    assert is_open(form)
    assert form.locator(".is-right").all_inner_texts() == [CHOICE.right]
    assert said_of(form) == judge(CHOICE, "b").words
    assert form.locator("output").get_attribute("data-outcome") == "no"
    assert (
        form.get_by_role("radio").first.is_disabled()
        and form.get_by_role("radio").nth(1).is_checked()
    )
    assert not form.get_by_role("button", name="Show me").is_visible()
    assert page.locator(".foreseen").inner_text().startswith("You foresaw 0 of the 1 that")


def test_an_option_by_keys(look):
    page = look(PAGE).page
    form = form_of(page, CHOICE)
    form.get_by_role("radio").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    assert said_of(form) == judge(CHOICE, "a").words
    assert form.locator("output").evaluate("(note) => note === document.activeElement")
    assert page.locator(".foreseen").inner_text().startswith("You foresaw 1 of the 1 that")


def test_a_number_by_its_line_and_by_its_box(look):
    page = look(PAGE).page
    form = form_of(page, NUMBER)
    line, box = form.get_by_role("slider"), form.get_by_label("Your number")
    assert box.input_value() == "" and line.get_attribute("aria-valuetext") == "no number yet"
    line.focus()
    page.keyboard.press("Home")
    assert box.input_value() == "1" and line.get_attribute("aria-valuetext") == "1 draws"
    page.keyboard.press("End")
    assert box.input_value() == "1000"
    box.fill("100")
    assert line.input_value() == "67"
    box.fill("2000")
    commit(form)
    assert said_of(form) == "'2000' is not on the line; give a number from 1 to 1,000."
    assert box.input_value() == "2000"
    box.fill("about 100")
    assert form.locator(".truth").count() == 0
    page.keyboard.press("Enter")
    assert said_of(form) == judge(NUMBER, "about 100").words
    knob, mark = line.bounding_box(), form.locator(".truth").bounding_box()
    assert knob["x"] + knob["width"] / 2 < mark["x"] < knob["x"] + knob["width"]  # 112 of 1,000


def test_a_number_by_pointer(look):
    page = look(PAGE).page
    form = form_of(page, NUMBER)
    line, box = form.get_by_role("slider"), form.get_by_label("Your number")
    line.click()
    assert box.input_value() == "32"  # half-way between 1 and 1,000 on a logarithmic line
    size = line.bounding_box()
    line.click(position={"x": size["width"] * 0.9, "y": size["height"] / 2})
    assert 300 < float(box.input_value()) < 700


def test_an_order_by_pointer_and_by_keys(look):
    page = look(PAGE).page
    form = form_of(page, ORDER)
    rows = lambda: form.locator("li > span:first-child").all_inner_texts()
    assert rows() == list(ORDER.shown)
    for place, (text, _) in enumerate(ORDER.items):
        up = form.get_by_role("button", name=f"Move {text} up")
        while rows().index(text) > place:
            if place % 2:
                up.click()
            else:
                up.focus()
                page.keyboard.press("Enter")
    assert rows() == [text for text, _ in ORDER.items]
    assert re.search(r" is now \d of 4\.", form.locator(".moved").inner_text())
    commit(form)
    assert said_of(form) == judge(ORDER, " ".join(ORDER.letters)).words


def test_nothing_chosen_is_told_and_nothing_opens(look):
    page = look(PAGE).page
    for about, words in ((CHOICE, "Choose one first."), (NUMBER, "A number is missing")):
        form = form_of(page, about)
        commit(form)
        assert said_of(form).startswith(words)
        assert not is_open(form)


def test_show_me_opens_without_a_prediction(look):
    page = look(PAGE).page
    form = form_of(page, CHOICE)
    form.get_by_role("button", name="Show me").click()
    assert is_open(form)
    assert said_of(form) == "Opened without a prediction. Close it to make one."
    assert page.locator(".foreseen").inner_text().endswith("none made yet.")


def test_all_of_it_is_kept_over_a_reload_and_judged_once(look):
    opened = look(PAGE)
    page = opened.page
    for about in (CHOICE, ORDER):
        form = form_of(page, about)
        if about is CHOICE:
            form.get_by_role("radio").nth(2).check()
        commit(form)
    form_of(page, NUMBER).get_by_label("Your number").fill("40")
    commit(form_of(page, NUMBER))
    total = page.locator(".foreseen").inner_text()
    shown = [said_of(form_of(page, about)) for about in (CHOICE, NUMBER, ORDER)]
    page.reload()
    assert page.locator(".foreseen").inner_text() == total
    assert [said_of(form_of(page, about)) for about in (CHOICE, NUMBER, ORDER)] == shown
    assert form_of(page, CHOICE).get_by_role("radio").nth(2).is_checked()
    assert form_of(page, NUMBER).get_by_label("Your number").is_disabled()
    rows = form_of(page, ORDER).locator("li > span:first-child").all_inner_texts()
    assert rows == list(ORDER.shown)
    assert opened.complaints == []


def test_what_is_kept_and_no_answer_any_more_is_as_if_nothing_was(look):
    opened = look(PAGE)
    kept = {CHOICE.id: {"said": "z", "foresaw": "yes"}, NUMBER.id: {"said": "40", "foresaw": "x"}}
    opened.run(
        "(kept) => localStorage.setItem('kdlib:predictions:04_kl_divergence', JSON.stringify(kept))",
        kept,
    )
    opened.page.reload()
    assert form_of(opened.page, CHOICE).get_by_role("radio").first.is_enabled()
    assert said_of(form_of(opened.page, NUMBER)) == judge(NUMBER, "40").words
    assert opened.page.locator(".foreseen").inner_text().startswith("You foresaw 0 of the 1 that")
    assert opened.complaints == []


def test_no_answer_can_be_read_before_its_output_is_opened(look):
    page = look(PAGE).page
    forms = page.locator("form.prediction")
    text = " ".join(" ".join(forms.all_inner_texts()).split())
    assert len(text) > 1000
    for about in of_chapter(4):
        assert about.title in text
        for option in getattr(about, "options", ()):
            assert not option.because or option.because not in text
        if about.kind == "number":
            assert f"it is {about.right:,}" not in text
        if about.kind == "order":
            assert ", then ".join(t for t, _ in about.items) not in text
            assert " ".join(t for t, _ in about.items) not in text
    assert page.locator("script.predicted").first.is_hidden()


def test_on_a_phone_nothing_is_too_wide_and_all_can_be_pressed(look):
    opened = look(PAGE, width=360)
    assert opened.overflow() == ""
    for about in of_chapter(4):
        form = form_of(opened.page, about)
        width = form.bounding_box()["width"]
        inside = form.locator("input, button, .option, li, output").all()
        right = [part.bounding_box() for part in inside if part.is_visible()]
        left = form.bounding_box()["x"]
        assert all(box["x"] + box["width"] <= left + width + 1 for box in right)
