"""Moving a point in the triangle of three words: what the page then shows is kdlib's number."""

import math

import pytest
from explorable_page import logs, number
from website import explorables_data

from kdlib.losses.divergences import forward_kl, reverse_kl

pytestmark = pytest.mark.slow


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
