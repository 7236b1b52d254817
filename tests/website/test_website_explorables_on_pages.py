"""Explorables on the pages of the book: on a desk, a phone and paper, and without scripts."""

import contents
import pytest
from explorable_page import Figure, identity
from look import AXE
from website import explorables_data, paper
from website.explorables import SHOWN

pytestmark = pytest.mark.slow

CHAPTER_4 = "04_kl_divergence.html"
PHONE = 390


ON_PAGES = [
    *(
        (name, f"{source.stem}.html")
        for source in contents.sources()
        for name in SHOWN.findall(source.read_text("utf-8"))
    ),
    ("drag_the_student", "index.html"),
]
BEYOND = """(part) => [...part.querySelectorAll(".stage *")].map((one) => [one,
    one.getBoundingClientRect()]).filter(([one, box]) => !one.matches("option, .room, .ring")
    && box.width && (box.left < -1 || box.right > innerWidth + 1))
    .map(([one]) => one.outerHTML.slice(0, 90))"""
TOUCH = "(parts) => parts.map((part) => getComputedStyle(part).touchAction)"


@pytest.mark.parametrize("path", sorted({path for _, path in ON_PAGES}))
def test_on_its_page_it_works_on_a_desk_and_on_a_phone_in_the_dark(look, vendor, path):
    """It answers, nothing is drawn beyond the screen, grips do not scroll, and axe finds nothing."""
    opened = look(path)
    figures = [Figure(opened, name) for name, there in ON_PAGES if there == path]
    for figure in figures:
        before = figure.state
        figure.part.locator("[role=slider]").first.press("ArrowRight")
        assert figure.state != before
    opened.darken()
    opened.resize(PHONE)
    assert opened.overflow() == ""
    for figure in figures:
        figure.part.locator("[role=slider]").first.press("Home")
        assert figure.part.evaluate(BEYOND) == []
        assert set(figure.part.locator(".grip .room").evaluate_all(TOUCH)) == {"none"}
    assert (
        opened.complaints == [] and opened.asked == []
    )  # before axe, which reads the style sheets
    opened.run(vendor(AXE).read_text("utf-8"))
    for figure in figures:
        found = figure.part.evaluate("(part) => axe.run(part, {resultTypes: ['violations']})")
        assert [(v["id"], v["nodes"][0]["html"][:120]) for v in found["violations"]] == []


def test_every_explorable_is_on_a_page():
    assert {name for name, _ in ON_PAGES} == set(explorables_data.EXPLORABLES)


@pytest.mark.parametrize("path", sorted({path for _, path in ON_PAGES}))
def test_without_scripts_there_is_a_picture(browser, website, path):
    """At the end of its section, where paper shows it too."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{website.resolve().as_uri()}/{path}")
    for name in (name for name, there in ON_PAGES if there == path):
        figure = page.locator(f"#{identity(name)}")
        assert figure.locator(".fallback svg[role=img]").is_visible()
        assert not figure.locator(".stage").is_visible()
    context.close()


@pytest.mark.parametrize("name", explorables_data.EXPLORABLES)
def test_a_slider_is_named_and_shows_that_it_has_the_focus(alone, name):
    figure = alone(name)
    for slider in figure.part.locator("[role=slider]").all():
        slider.focus()
        figure.page.keyboard.press("Shift")  # so that the focus counts as one by keys
        for attribute in ("aria-label", "aria-valuetext", "aria-valuenow", "aria-valuemax"):
            assert slider.get_attribute(attribute)
        ring = slider.locator(".ring").evaluate("(ring) => getComputedStyle(ring).stroke")
        assert ring not in ("none", "rgba(0, 0, 0, 0)")


def test_paper_has_the_pictures_and_no_scripts(website):
    article = paper._article(website / CHAPTER_4)
    figures = article.select("figure.explorable")
    assert len(figures) == 3 and not article.select("figure.explorable script")
    assert all(figure.select_one(".fallback svg") for figure in figures)
    assert not any("live" in figure["class"] for figure in figures)
    for figure, section in zip(figures, ("4.1", "4.2", "4.5")):
        assert figure.find_previous("h2").get_text().startswith(f"{section} ")
