"""Dragging the student: by pointer and by keys, what the page then shows is kdlib's number."""

import math

import pytest
import torch
from explorable_page import logs, number
from website import explorables_data

from kdlib.losses.divergences import DIVERGENCES, forward_kl, reverse_kl

pytestmark = pytest.mark.slow


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
