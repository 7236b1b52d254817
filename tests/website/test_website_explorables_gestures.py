"""Every gesture on an explorable, by pointer and by keys: what the page then shows is kdlib's number.

Most of them are made on pages that hold an explorable and nothing else, which open at once.
"""

import json
import math
import shutil

import pytest
import torch
from look import AXE, Page
from website import explorables_data, paper
from website.assemble import HERE
from website.explorables import PLACES, markup

from kdlib.losses.divergences import DIVERGENCES, entropy, forward_kl, get_divergence, reverse_kl
from kdlib.losses.softmax import log_softmax
from kdlib.toys.students import fit, one_peak, two_peaks

pytestmark = pytest.mark.slow

CHAPTER_4 = "04_kl_divergence.html"
PAGES = {1: "01_teacher_and_student.html", 4: CHAPTER_4}
PHONE = 390
MINUS = "−"


ALONE = """<!DOCTYPE html><html lang="en" data-theme="light"><meta charset="utf-8"><title>Alone</title>
<link rel="stylesheet" href="_static/explorables/explorables.css">
<style>:root {{ --pst-color-text-base: #222 }}</style>
<body style="max-width: 700px"><article class="bd-article">{figure}</article></body></html>"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Every explorable on a page of its own."""
    made = tmp_path_factory.mktemp("alone")
    shutil.copytree(HERE / "static" / "explorables", made / "_static" / "explorables")
    logits = made / "_static" / "explorables" / explorables_data.TEACHER_FILE
    logits.write_text(explorables_data.teacher_file(), "utf-8")
    for name in explorables_data.EXPLORABLES:
        page = ALONE.format(figure=markup([name])[0])
        (made / f"{name}.html").write_text(page, "utf-8")
    return made


@pytest.fixture
def alone(browser, folder):
    """alone("simplex") opens it; whatever happens, it neither complains nor asks for anything."""
    context = browser.new_context(viewport={"width": 1000, "height": 900})
    opened = []

    def figure(name):
        opened.append(Page(context, folder, f"{name}.html"))
        return Figure(opened[-1], name)

    yield figure
    context.close()
    assert [page.complaints + page.asked for page in opened] == [[]] * len(opened)


def identity(name):
    return f"explorable-{name.replace('_', '-')}"


class Figure:
    """An explorable on a page."""

    def __init__(self, look, name):
        self.look, self.page = look, look.page
        self.part = self.page.locator(f"#{identity(name)}")
        self.part.scroll_into_view_if_needed()

    @property
    def state(self):
        return json.loads(self.part.locator(".stage").get_attribute("data-state"))

    def texts(self, css):
        return [" ".join(text.split()) for text in self.part.locator(css).all_text_contents()]

    def slider(self, label):
        return self.part.locator(f'[role=slider][aria-label^="{label}"]')

    def drag(self, label, x, y):
        """The slider's dot, by so many pixels, in steps as a hand does."""
        dot = self.slider(label).locator(".dot")
        dot.scroll_into_view_if_needed()
        dot.evaluate("(dot) => dot.scrollIntoView({block: 'center'})")
        box = dot.bounding_box()
        left, top = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(left, top)
        self.page.mouse.down()
        self.page.mouse.move(left + x / 2, top + y / 2)
        self.page.mouse.move(left + x, top + y)
        self.page.mouse.up()

    def keys(self, label, *keys):
        for key in keys:
            self.slider(label).press(key)
        return self.slider(label).get_attribute("aria-valuetext")

    def press(self, name):
        self.part.get_by_role("button", name=name).click()


def number(value, digits=3, signed=False):
    """As the page writes it."""
    if math.isinf(value):
        return "∞"
    text = f"{abs(value):.{digits}f}"
    return (MINUS if value < 0 and float(text) else "+" if signed else "") + text


def logs(p):
    return torch.tensor(p, dtype=torch.float64).log()


# ---------------------------------------------------------------- drag the student

SOUP = list(explorables_data.SOUP.values())


def agrees_with_kdlib(figure):
    """All numbers of the page belong to the student that it shows; -> the student."""
    q = figure.state
    assert sum(q) == pytest.approx(1, abs=1e-12)
    log_p, log_q = logs(SOUP), logs(q)
    totals = {"forward": forward_kl(log_p, log_q), "reverse": reverse_kl(log_p, log_q)}
    for side, name in {"forward": "KL(P‖Q)", "reverse": "KL(Q‖P)"}.items():
        value = totals[side].item()
        unit = "" if math.isinf(value) else " nats"
        assert figure.texts(f".sum.of-{side}") == [f"{name} = {number(value, 4)}{unit}"]
        a, b = (log_p, log_q) if side == "forward" else (log_q, log_p)
        terms = [
            forward_kl(x[None], y[None]).item() if x > -math.inf else 0.0 for x, y in zip(a, b)
        ]
        assert figure.texts(f".number.of-{side}") == [number(t, signed=True) for t in terms]
    shares = [f"{math.floor(100 * share + 0.5)} %" for share in q]
    assert [text.removeprefix("Q ") for text in figure.texts(".of-student")] == shares
    for share, slider in zip(shares, figure.part.get_by_role("slider").all()):
        assert slider.get_attribute("aria-valuetext").startswith(f"{share};")
    return q


def test_bars_are_dragged(alone):
    figure = alone("drag_the_student")
    assert agrees_with_kdlib(figure) == [0.2] * 5
    figure.drag("student's probability of hot", 0, -45)
    q = agrees_with_kdlib(figure)
    assert q[0] == pytest.approx(0.2 + 45 / 180, abs=0.01) and q[1] == q[4]
    figure.drag("student's probability of salty", 0, 400)  # far below: exactly zero
    assert agrees_with_kdlib(figure)[1] == 0
    assert figure.part.locator("rect.infinite").count() == 1
    figure.press("Reset")
    assert agrees_with_kdlib(figure) == [0.2] * 5


def test_bars_obey_the_keys(alone):
    figure = alone("drag_the_student")
    label = "student's probability of cold"
    expected = 0.2
    for key, change in {
        "ArrowUp": 0.01, "ArrowRight": 0.01, "ArrowDown": -0.01, "ArrowLeft": -0.01,
        "Shift+ArrowUp": 0.1, "PageUp": 0.1, "PageDown": -0.1, "Shift+ArrowLeft": -0.1,
    }.items():  # fmt: skip
        figure.keys(label, key)
        expected += change
        assert agrees_with_kdlib(figure)[2] == pytest.approx(expected)
    assert figure.keys(label, "Home").startswith("0 %; the teacher gives 17 %")
    assert agrees_with_kdlib(figure)[2] == 0
    figure.keys(label, "End")
    assert agrees_with_kdlib(figure) == [0, 0, 1, 0, 0]
    figure.keys(label, "PageDown")
    assert agrees_with_kdlib(figure) == pytest.approx([0.025, 0.025, 0.9, 0.025, 0.025])


@pytest.mark.parametrize("loss", ["forward_kl", "reverse_kl"])
def test_a_step_is_a_step_of_the_loss_on_its_button(alone, loss):
    figure = alone("drag_the_student")
    logits = torch.full((5,), 0.2, dtype=torch.float64).log()
    for _ in range(3):
        logits = logits.detach().requires_grad_()
        DIVERGENCES[loss](logs(SOUP), logits.log_softmax(-1)).backward()
        logits = logits.detach() - logits.grad
        figure.press(f"A step of {loss[:-3]} KL")
        assert agrees_with_kdlib(figure) == pytest.approx(logits.softmax(-1).tolist(), rel=1e-12)
    assert "is now" in figure.texts("output")[0]


def test_an_infinite_loss_makes_no_step(alone):
    figure = alone("drag_the_student")
    figure.keys("student's probability of hot", "Home")
    before = agrees_with_kdlib(figure)
    button = figure.part.get_by_role("button", name="A step of forward KL")
    assert button.get_attribute("aria-disabled") == "true"
    button.press("Enter")
    assert agrees_with_kdlib(figure) == before and "no slope" in figure.texts("output")[0]
    figure.press("A step of reverse KL")
    after = agrees_with_kdlib(figure)
    assert after != before and after[0] == 0


# ---------------------------------------------------------------- one peak for two


def peak_agrees(figure, **parameters):
    state = figure.state
    q = one_peak(40, *torch.tensor([state["centre"], state["width"]], dtype=torch.float64))
    shown = {words.split(" ", 1)[1]: words.split(" ")[0] for words in figure.texts(".numbers span")}
    value = get_divergence(state["loss"], **parameters)(two_peaks(), q).item()
    assert figure.texts(".numbers .chosen b") == [number(value)]
    assert shown["centre"] == number(state["centre"], 2)
    assert shown["width"] == number(state["width"], 2)
    for name, divergence in {"forward KL": forward_kl, "reverse KL": reverse_kl}.items():
        assert shown[name] == number(divergence(two_peaks(), q).item())
    return state


def test_the_peak_is_dragged(alone):
    figure = alone("one_peak")
    assert peak_agrees(figure)["centre"] == 17
    pixels = figure.part.locator(".stage svg").first.evaluate(
        "(svg) => (svg.clientWidth - 28) / 39"
    )
    figure.drag("student's centre", 5 * pixels, 0)
    assert peak_agrees(figure)["centre"] == pytest.approx(22, abs=0.2)
    figure.drag("student's width", 3 * pixels, 0)
    assert peak_agrees(figure)["width"] == pytest.approx(7, abs=0.2)
    figure.drag("student on the map", -1000, 1000)
    assert (peak_agrees(figure)["centre"], figure.state["width"]) == (0, 0.5)
    box = figure.part.locator(".ground").bounding_box()
    figure.part.locator(".ground").click(position={"x": box["width"] / 3, "y": box["height"] / 2})
    state = peak_agrees(figure)
    assert state["centre"] == pytest.approx(13, abs=0.2)
    assert state["width"] == pytest.approx(math.sqrt(8), abs=0.1)


@pytest.mark.parametrize(
    ("label", "keys", "centre", "width"),
    [
        ("student's centre", ["ArrowRight", "PageUp", "Shift+ArrowLeft"], 17.25, 4),
        ("student's centre", ["Home"], 0, 4),
        ("student's centre", ["End"], 39, 4),
        ("student's width", ["ArrowUp", "PageUp", "ArrowDown"], 17, 6.5),
        ("student's width", ["Home"], 17, 0.5),
        ("student's width", ["End", "ArrowUp"], 17, 16),
        ("student on the map", ["ArrowLeft", "Shift+ArrowLeft", "ArrowUp"], 14.25, 4.25),
        ("student on the map", ["End"], 17, 16),
    ],
)
def test_the_peak_obeys_the_keys(alone, label, keys, centre, width):
    figure = alone("one_peak")
    said = figure.keys(label, *keys)
    state = peak_agrees(figure)
    assert (state["centre"], state["width"]) == (centre, width)
    assert figure.texts(".numbers .chosen b")[0] in said


@pytest.mark.parametrize(
    ("loss", "parameter", "value"),
    [("forward_kl", None, 0), ("symmetric_kl", None, 0), ("jensen_shannon", None, 0),
     ("generalized_jsd", "beta", 0.5), ("skew_kl", "alpha", 0.1), ("skew_reverse_kl", "alpha", 0.1)],
)  # fmt: skip
def test_every_loss_can_be_chosen_and_tuned(alone, loss, parameter, value):
    figure = alone("one_peak")
    figure.part.locator("select").select_option(loss)
    tuner = figure.part.locator("input[type=range]")
    peak_agrees(figure, **({parameter: value} if parameter else {}))
    assert tuner.is_visible() == bool(parameter)
    if parameter:
        tuner.focus()
        for _ in range(5):
            figure.page.keyboard.press("ArrowRight")
        assert figure.state["parameter"] == pytest.approx(value + 0.05)
        peak_agrees(figure, **{parameter: value + 0.05})
        tuner.press("Home")
        peak_agrees(figure, **{parameter: 0.01})
    best = min(basin["loss"] for basin in figure.state["basins"])
    assert number(best) in figure.texts(".basins text")


@pytest.mark.parametrize("loss", ["forward_kl", "symmetric_kl", "jensen_shannon", "reverse_kl"])
def test_it_rolls_to_the_ends_of_chapter_4s_table(alone, loss):
    """From 10, 17 and 26 with width 4, and with no motion for who wants none."""
    figure = alone("one_peak")
    figure.page.emulate_media(reduced_motion="reduce")
    figure.part.locator("select").select_option(loss)
    starts = torch.tensor([10.0, 17, 26], dtype=torch.float64)
    centre = starts.clone().requires_grad_()
    width = torch.full_like(starts, 4).log().requires_grad_()

    def of_peaks():
        return DIVERGENCES[loss](two_peaks(), one_peak(40, centre, width.exp()))

    fit([centre, width], lambda: of_peaks().sum(), 600, 0.1)
    for start, end in zip(starts.tolist(), of_peaks().tolist()):
        figure.press("Back to the start")
        move = "ArrowRight" if start > figure.state["centre"] else "ArrowLeft"
        figure.keys("student's centre", *[move] * round(4 * abs(start - figure.state["centre"])))
        width_off = round(4 * (4 - figure.state["width"]))
        assert figure.state["centre"] == start and width_off == 0
        figure.press("Let it roll downhill")
        peak_agrees(figure)
        assert figure.texts(".numbers .chosen b") == [number(end)]
        assert f"with {number(end)} nats" in figure.texts("output")[0]


def test_a_roll_can_be_watched_and_stopped(alone):
    figure = alone("one_peak")
    figure.press("Let it roll downhill")
    figure.page.wait_for_function(
        "(part) => JSON.parse(part.querySelector('.stage').dataset.state).centre !== 17",
        arg=figure.part.element_handle(),
    )
    figure.press("Stop")
    here = figure.state["centre"]
    figure.page.wait_for_timeout(100)
    assert figure.state["centre"] == here != 17
    figure.press("Back to the start")
    assert figure.state["centre"] == 17


# ---------------------------------------------------------------- temperature


def answer_agrees(figure):
    """With the teacher's own logits: what is shown is rounded more than the stored ones are."""
    state, (logits, _) = figure.state, explorables_data.teacher_logits()
    row = logits[state["prompt"]].sort(descending=True).values
    rounded = (row / explorables_data.STEP).round() * explorables_data.STEP
    log_p = log_softmax(rounded, state["temperature"])
    p, h = log_p.exp(), entropy(log_p).item()
    shown = figure.texts(".rows .number")
    assert shown == [number(x) for x in [*p[:20].tolist(), p[20:].sum().item()]]
    others = number(p[20:].sum().item())
    assert figure.texts(".numbers b") == [number(h), number(math.exp(h), 1), others]
    said = figure.slider("temperature").get_attribute("aria-valuetext")
    assert said == f"T = {state['temperature']:.2f}, entropy {number(h, 2)} nats"
    return state


def test_the_temperature_is_dragged(alone):
    figure = alone("temperature")
    assert answer_agrees(figure)["temperature"] == 1
    line = figure.part.locator(".stage svg").last.evaluate("(svg) => svg.clientWidth - 58")
    for share in (0.15, -0.4, 0.1):
        before = figure.state["temperature"]
        figure.drag("temperature", share * line, 0)
        assert answer_agrees(figure)["temperature"] == pytest.approx(before * 100**share, rel=0.06)
    figure.drag("temperature", 1000, 0)
    assert answer_agrees(figure)["temperature"] == 10
    figure.press("Back to T = 1")
    assert answer_agrees(figure)["temperature"] == 1


def test_the_temperature_obeys_the_keys_after_every_prompt(alone):
    figure = alone("temperature")
    temperature = 0.0
    steps = {"ArrowRight": 1, "PageUp": 10, "Shift+ArrowUp": 10, "ArrowLeft": -1, "PageDown": -10}
    for prompt, (key, by) in enumerate(steps.items()):
        figure.part.locator("select").select_option(str(prompt))
        figure.keys("temperature", key)
        temperature += 0.05 * by
        assert answer_agrees(figure)["temperature"] == pytest.approx(2**temperature)
    figure.keys("temperature", "Home")
    assert answer_agrees(figure)["temperature"] == pytest.approx(0.1)
    figure.keys("temperature", "End")
    assert answer_agrees(figure)["temperature"] == pytest.approx(10)
    for prompt in range(len(explorables_data.PROMPTS)):
        figure.part.locator("select").select_option(str(prompt))
        assert answer_agrees(figure)["prompt"] == prompt


# ---------------------------------------------------------------- the triangle

THREE = explorables_data.TEACHER_OF_THREE


def point_agrees(figure):
    q = figure.state
    assert sum(q) == pytest.approx(1) and min(q) >= 0
    assert figure.texts(".numbers b") == [number(share) for share in q]
    for side, name, divergence in (
        ("forward", "KL(P‖Q)", forward_kl),
        ("reverse", "KL(Q‖P)", reverse_kl),
    ):
        value = divergence(logs(THREE), logs(q)).item()
        unit = "" if math.isinf(value) else " nats"
        assert figure.texts(f".sum.of-{side}") == [f"{name} = {number(value, 4)}{unit}"]
    return q


LEFT, RIGHT = "student in the triangle of KL(P‖Q)", "student in the triangle of KL(Q‖P)"


@pytest.mark.parametrize("label", [LEFT, RIGHT])
def test_the_point_is_dragged_in_either_triangle(alone, label):
    figure = alone("simplex")
    before = point_agrees(figure)
    figure.drag(label, 30, 0)
    q = point_agrees(figure)
    assert q[1] > before[1] and q[2] == pytest.approx(before[2], abs=0.01)
    figure.drag(label, 0, -30)
    assert point_agrees(figure)[2] > q[2]
    figure.drag(label, 0, 600)  # onto the edge: the third word is gone
    assert point_agrees(figure)[2] == 0
    assert figure.texts(".sum.of-forward") == ["KL(P‖Q) = ∞"]


def test_the_point_obeys_keys_and_buttons(alone):
    figure = alone("simplex")
    figure.keys(LEFT, "ArrowRight")
    assert point_agrees(figure) == pytest.approx([0.29, 0.31, 0.4])
    figure.keys(RIGHT, "Shift+ArrowLeft")
    assert point_agrees(figure) == pytest.approx([0.39, 0.21, 0.4])
    figure.keys(LEFT, "PageDown", "ArrowUp")
    assert point_agrees(figure)[2] == pytest.approx(0.31)
    assert "infinite" in figure.keys(LEFT, "Home")
    assert point_agrees(figure)[2] == 0
    figure.keys(RIGHT, "End")
    assert point_agrees(figure) == [0, 0, 1]
    for name, q in explorables_data.STUDENTS_OF_THREE.items():
        figure.press(name)
        assert point_agrees(figure) == pytest.approx(q)


# ---------------------------------------------------------------- on the pages

ON_PAGES = [
    *((place.name, PAGES.get(place.chapter)) for place in PLACES),
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
