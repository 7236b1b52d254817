"""Dragging one peak over two, and letting it roll: what the page then shows is kdlib's number."""

import math

import pytest
import torch
from explorable_page import number

from kdlib.losses.divergences import DIVERGENCES, forward_kl, get_divergence, reverse_kl
from kdlib.toys.students import fit, one_peak, two_peaks

pytestmark = pytest.mark.slow


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
