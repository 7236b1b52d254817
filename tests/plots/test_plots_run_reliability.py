"""The reliability diagram: bins with their intervals, errors with their noise, a legend below."""

import pytest

from kdlib import plots


def measured(ece, floor, confidence, accuracy):
    bins = {"confidence": confidence, "accuracy": accuracy}
    bins |= {"low": [a - 0.05 for a in accuracy], "high": [a + 0.08 for a in accuracy]}
    return {"ece": ece, "ece_floor": floor, "calibration": bins}


@pytest.fixture
def figure():
    return plots.reliability(
        {
            "student": measured(0.123, 0.01, [0.1, 0.4], [0.2, 0.3]),
            "teacher": measured(0.05, 0.02, [0.3, 0.7], [0.25, 0.72]),
        }
    )


def test_each_bin_is_drawn_with_its_interval(figure):
    axes = figure.axes[0]
    drawn = {line.get_label().partition(":")[0]: line.get_data() for line in axes.lines}
    assert [list(data) for data in drawn["teacher"]] == [[0.3, 0.7], [0.25, 0.72]]
    assert [list(data) for data in drawn["student"]] == [[0.1, 0.4], [0.2, 0.3]]
    teacher, student = ([s.tolist() for s in c.get_segments()] for c in axes.collections)
    assert teacher[0] == [[0.3, pytest.approx(0.2)], [0.3, pytest.approx(0.33)]]
    assert student[1] == [[0.4, pytest.approx(0.25)], [0.4, pytest.approx(0.38)]]


def test_an_error_stands_beside_what_chance_alone_gives(figure):
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == [
        "teacher: 0.050 (chance alone: 0.020)",
        "student: 0.123 (chance alone: 0.010)",
    ]
    assert "teacher 0.050, of which chance alone would give 0.020" in figure.alt
    assert "student 0.123" in figure.alt


def test_the_legend_is_below_the_axes(figure):
    figure.draw_without_rendering()
    legend = figure.legends[0].get_window_extent()
    assert legend.y1 < figure.axes[0].get_tightbbox().y0


def test_a_model_with_too_few_tokens_for_any_bin():
    figure = plots.reliability({"student": measured(0.0, 0.0, [], [])})
    assert plots.svg(figure).startswith("<svg")
