"""What a reader meets: every page in a real browser, from a folder and without a network."""

import re

import pytest
from look import Page

from kdlib.exercises import symptom

pytestmark = pytest.mark.slow

PHONE = 390
NOT_DRAWN = """() => [...document.querySelectorAll(".math")]
    .filter((math) => !math.querySelector("mjx-container svg")).map((math) => math.textContent)"""
BROKEN = """() => [...document.querySelectorAll("[data-mjx-error], mjx-merror")]
    .map((error) => error.getAttribute("data-mjx-error") ?? error.textContent)"""


@pytest.fixture(scope="module")
def seen(browser, website, pages):
    """Every page once, wide and narrow: {page: what is wrong with it} for each question."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = Page(context, website, pages[0])
    found = {name: {} for name in ("complaints", "asked", "undrawn", "wide", "narrow", "formulas")}
    for path in pages:
        page.complaints, page.asked = [], []
        page.resize(1280)
        page.goto(path)
        found["wide"][path] = page.overflow()
        page.resize(PHONE)
        found["narrow"][path] = page.overflow()
        found["undrawn"][path] = page.run(NOT_DRAWN) + page.run(BROKEN)
        found["formulas"][path] = page.run("() => document.querySelectorAll('.math').length")
        found["complaints"][path], found["asked"][path] = page.complaints, page.asked
    context.close()
    return found


def faults(answers):
    return {page: answer for page, answer in answers.items() if answer}


def test_no_page_complains(seen):
    assert faults(seen["complaints"]) == {}


def test_no_page_asks_another_machine_for_anything(seen):
    assert faults(seen["asked"]) == {}


def test_formulas_are_drawn(seen):
    assert faults(seen["undrawn"]) == {}


@pytest.mark.parametrize("page", ["notation.html", "glossary.html", "api/losses.html"])
def test_there_are_formulas_to_draw(seen, page):
    assert seen["formulas"][page] >= 8


@pytest.mark.parametrize("screen", ["wide", "narrow"])
def test_no_page_is_wider_than_its_screen(seen, screen):
    assert faults(seen[screen]) == {}


def luminance(colour):
    return sum(float(part) for part in re.findall(r"[\d.]+", colour)[:3]) / 3 / 255


def test_dark_mode_is_dark_and_the_button_leaves_it(look):
    page = look("04_kl_divergence.html", dark=True, width=PHONE)
    background = "() => getComputedStyle(document.body).backgroundColor"
    assert luminance(page.run(background)) < 0.2
    assert page.overflow() == ""
    page.page.locator("button.theme-switch-button:visible").first.click()
    page.page.locator(".theme-change-button[data-mode=light]:visible").first.click()
    assert luminance(page.run(background)) > 0.8


def test_figures_have_no_paper_of_their_own_in_dark_mode(look):
    page = look("01_teacher_and_student.html", dark=True)
    style = page.run(
        "() => { const s = getComputedStyle(document.querySelector('.cell_output img'));"
        " return [s.backgroundColor, s.filter]; }"
    )
    assert style == ["rgba(0, 0, 0, 0)", "brightness(1.35)"]


def test_a_slider_moves_its_figure(look):
    page = look("01_teacher_and_student.html").page
    page.locator("details.hide:has(.frames) summary").first.click()  # it answers a prediction
    frames = page.locator(".frames").first
    slider, captions = frames.locator("input[type=range]"), frames.locator("figcaption:visible")
    first = captions.all_inner_texts()
    slider.focus()
    page.keyboard.press("ArrowRight")
    second = captions.all_inner_texts()
    page.keyboard.press("End")
    last = captions.all_inner_texts()
    assert len(first) == len(second) == len(last) == 1
    assert len({*first, *second, *last}) == 3
    assert frames.locator("img:visible").count() == 1


def test_solutions_and_hints_are_closed_and_open(look):
    page = look("04_kl_divergence.html").page
    solution = page.locator("#solution-kl-of-rows")
    assert page.locator("details[open]:is(.solution, .hint)").count() == 0
    assert not solution.locator("pre").is_visible()
    solution.locator("summary").click()
    assert solution.locator("pre").is_visible()


def test_a_symptom_finds_its_mistake_as_in_a_notebook(look):
    page = look("misconceptions.html")
    page.page.locator("#symptom").fill("generation never stops")
    assert (
        page.page.locator("#suspects a").first.get_attribute("href").endswith("stop-token-masked")
    )
    page.page.keyboard.press("Enter")
    page.page.wait_for_url("**#misconception-stop-token-masked")
    asked = ["my loss is negative", "KL stalls at 0.3", "loss is 0", "teacher differs", "?"]
    script = """(asked) => asked.map((text) => suspects(
        text, JSON.parse(document.getElementById("symptom-data").textContent)))"""
    assert page.run(script, asked) == [list(symptom(text).ids) for text in asked]
    assert page.complaints == [] and page.asked == []
