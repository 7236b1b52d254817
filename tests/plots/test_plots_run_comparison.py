"""The models side by side: each at its value, the best on top, and the gap where it is."""

from kdlib import plots

LOSSES = {
    "teacher": 3.642,
    "student": 3.785,
    "control_equal_steps": 4.026,
    "control_equal_compute": 3.941,
    "ngram": 4.61,
}


def lines(figure):
    """Label -> (x, y) of every line."""
    return {line.get_label(): tuple(map(list, line.get_data())) for line in figure.axes[0].lines}


def test_comparison_puts_each_model_at_its_value_best_first():
    figure = plots.cross_entropy_comparison(LOSSES, 0.63)
    drawn = lines(figure)
    order = ["teacher", "student", "control_equal_compute", "control_equal_steps", "ngram"]
    for row, name in enumerate(order):
        assert drawn[plots.LOOKS[name].label] == ([LOSSES[name]], [row])
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == [
        plots.LOOKS[name].label for name in order
    ]
    assert drawn["_gap closed"] == ([4.026, 3.785], [1, 1])
    assert drawn["_gap left"] == ([3.785, 3.642], [1, 1])
    assert "3.642" in figure.alt and "control, equal steps 4.026" in figure.alt
    assert "n-gram, counted 4.610" in figure.alt and "63 % of the gap" in figure.alt


def test_comparison_without_a_gap():
    figure = plots.cross_entropy_comparison({"student": 4.0, "teacher": 3.5})
    assert lines(figure) == {"teacher": ([3.5], [0]), "student": ([4.0], [1])}
    assert "gap" not in figure.alt
