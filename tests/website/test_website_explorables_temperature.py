"""Moving the temperature of the teacher's own distributions: what the page shows is kdlib's number."""

import math

import pytest
from explorable_page import number
from website.temperature import PROMPTS, stored

from kdlib.losses.divergences import entropy
from kdlib.losses.softmax import log_softmax

pytestmark = pytest.mark.slow


def answer_agrees(figure):
    """With kdlib's softmax of the stored logits, which test_website_explorables.py compares with the teacher's."""
    state, (logits, _) = figure.state, stored()
    log_p = log_softmax(logits[state["prompt"]], state["temperature"])
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
    for prompt in range(len(PROMPTS)):
        figure.part.locator("select").select_option(str(prompt))
        assert answer_agrees(figure)["prompt"] == prompt
