"""The report's figures: what is drawn is the data, and the words beside it say the same."""

import pytest

from kdlib import plots

LOSSES = {
    "teacher": 3.642,
    "student": 3.785,
    "control_equal_steps": 4.026,
    "control_equal_time": 3.941,
}
CALIBRATION = {
    "teacher": {
        "confidence": [None, 0.3, 0.7],
        "accuracy": [None, 0.25, 0.72],
        "share": [None, 0.6, 0.4],
    },
    "student": {
        "confidence": [0.1, 0.4, None],
        "accuracy": [0.2, 0.3, None],
        "share": [0.5, 0.5, None],
    },
}


def rows(phase, steps, start=5.0):
    return [
        {"phase": phase, "step": step, "loss": 1.0, "cross_entropy": start - number / 10}
        | ({"validation": start - number / 10 + 0.2} if number % 2 else {})
        for number, step in enumerate(steps)
    ]


def lines(figure):
    """Label -> (x, y) of every line."""
    return {line.get_label(): tuple(map(list, line.get_data())) for line in figure.axes[0].lines}


def test_loss_curves_draw_the_rows():
    figure = plots.loss_curves(
        rows("student", [10, 20, 30, 40])
        + rows("control_equal_steps", [10, 20])
        + rows("other", [1])
    )
    drawn = lines(figure)
    assert drawn["student"] == ([20, 40], pytest.approx([5.1, 4.9]))
    assert drawn["_student training"] == ([10, 20, 30, 40], plots.smooth([5.0, 4.9, 4.8, 4.7]))
    assert drawn["control, equal steps"] == ([20], pytest.approx([5.1]))
    assert len(drawn) == 4
    assert "student: validation from 5.100 to 4.900 after 40 steps." in figure.alt
    low, high = figure.axes[0].get_ylim()
    assert low < min(drawn["_student training"][1]) and high > 5.1


def test_loss_curves_without_validation_or_rows():
    figure = plots.loss_curves([{"phase": "student", "step": 1, "cross_entropy": 2.0}])
    assert "student: training from 2.000 to 2.000 after 1 steps." in figure.alt
    assert plots.svg(plots.loss_curves([])).startswith("<svg")


def test_a_much_longer_phase_does_not_squeeze_the_others():
    assert (
        plots.loss_curves(rows("teacher", [10, 5000]) + rows("student", [10, 500]))
        .axes[0]
        .get_xscale()
        == "log"
    )
    assert plots.loss_curves(rows("student", [10, 500])).axes[0].get_xscale() == "linear"


def test_smooth():
    assert plots.smooth([3.0] * 5) == pytest.approx([3.0] * 5)
    assert plots.smooth([1.0, 0.0], memory=0.5) == pytest.approx([1.0, 1 / 3])
    assert plots.smooth([]) == []


def test_comparison_puts_each_model_at_its_value_best_first():
    figure = plots.cross_entropy_comparison(LOSSES, 0.63)
    drawn = lines(figure)
    order = ["teacher", "student", "control_equal_time", "control_equal_steps"]
    for row, name in enumerate(order):
        assert drawn[plots.LOOKS[name].label] == ([LOSSES[name]], [row])
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == [
        plots.LOOKS[name].label for name in order
    ]
    assert drawn["_gap closed"] == ([4.026, 3.785], [1, 1])
    assert drawn["_gap left"] == ([3.785, 3.642], [1, 1])
    assert (
        "3.642" in figure.alt
        and "control, equal steps 4.026" in figure.alt
        and "63 % of the gap" in figure.alt
    )


def test_comparison_without_a_gap():
    figure = plots.cross_entropy_comparison({"student": 4.0, "teacher": 3.5})
    assert lines(figure) == {"teacher": ([3.5], [0]), "student": ([4.0], [1])}
    assert "gap" not in figure.alt


def test_reliability_leaves_empty_bins_out():
    figure = plots.reliability(CALIBRATION, {"teacher": 0.05, "student": 0.123})
    drawn = lines(figure)
    assert drawn["teacher (ECE 0.050)"] == ([0.3, 0.7], [0.25, 0.72])
    assert drawn["student (ECE 0.123)"] == ([0.1, 0.4], [0.2, 0.3])
    assert "teacher 0.050, student 0.123" in figure.alt
    halos = [halo.get_sizes() for halo in figure.axes[0].collections]
    assert halos[0][0] / halos[0][1] == pytest.approx(0.6 / 0.4)
    nothing = {"student": {"confidence": [None], "accuracy": [None], "share": [None]}}
    assert lines(plots.reliability(nothing, {"student": 0.0}))["student (ECE 0.000)"] == ([], [])
