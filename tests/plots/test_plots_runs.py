"""Runs side by side: every model at its cost and its loss."""

from kdlib import plots

POINTS = [
    plots.Point("small", "student", 3.57e5, 6.257),
    plots.Point("large", "student", 1.09e6, 4.008),
    plots.Point("teacher", "teacher", 7.36e6, 3.466),
]


def test_every_model_is_where_it_belongs():
    figure = plots.cost_against_loss(POINTS, cost="parameters", loss="nats per token")
    axes = figure.axes[0]
    drawn = {line.get_label(): tuple(map(list, line.get_data())) for line in axes.lines}
    assert drawn["student"] == ([3.57e5, 1.09e6], [6.257, 4.008])
    assert drawn["teacher"] == ([7.36e6], [3.466])
    assert {text.get_text(): text.xy for text in axes.texts} == {
        point.label: (point.cost, point.loss) for point in POINTS
    }
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("parameters", "nats per token")


def test_the_words_have_every_number():
    alt = plots.cost_against_loss(POINTS, cost="parameters", loss="nats per token").alt
    assert alt.startswith("nats per token over parameters.")
    for words in ("small: 357 k, 6.257", "large: 1.09 M, 4.008", "teacher: 7.36 M, 3.466"):
        assert words in alt


def test_a_name_with_dollars_is_no_formula():
    named = [plots.Point(r"$\frac$", "student", 1e6, 4.0)]
    assert "frac$</text>" in plots.svg(plots.cost_against_loss(named, cost="x", loss="y"))


def test_labels_are_inside_the_picture():
    figure = plots.cost_against_loss(POINTS, cost="parameters", loss="nats per token")
    figure.draw_without_rendering()
    for text in figure.axes[0].texts:
        box = text.get_window_extent()
        assert box.x0 >= 0 and box.x1 <= figure.bbox.x1, text.get_text()
