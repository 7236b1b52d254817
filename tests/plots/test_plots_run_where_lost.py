"""Where the student lost: each bin and document at its value, and all of it in words."""

import pytest

from kdlib import plots

BINS = ["50–900", "1–49", "never"]
LOSSES = {
    "student": {"forward_kl": [0.1, 0.2, 0.3], "excess": [-0.1, 0.4, 1.25]},
    "control_equal_steps": {"forward_kl": [0.2, 0.4, 0.6], "excess": [0.0, 0.8, 2.5]},
}


def lines(axes):
    """Label -> (x, y) of every line."""
    return {line.get_label(): tuple(map(list, line.get_data())) for line in axes.lines}


def test_each_measure_has_its_graph():
    figure = plots.lost_by_bin(LOSSES, BINS, over="occurrences")
    for axes, key in zip(figure.axes, ("forward_kl", "excess"), strict=True):
        drawn = lines(axes)
        assert drawn["student"] == ([0, 1, 2], LOSSES["student"][key])
        assert drawn["control, equal steps"] == ([0, 1, 2], LOSSES["control_equal_steps"][key])
        assert drawn["_zero"][1] == [0, 0]
    below = figure.axes[-1]
    assert [tick.get_text() for tick in below.get_xticklabels()] == BINS
    assert below.get_xlabel() == "occurrences"


def test_the_words_have_every_number():
    alt = plots.lost_by_bin(LOSSES, BINS, over="occurrences").alt
    assert "student, KL to the teacher in nats: 50–900: 0.10, 1–49: 0.20, never: 0.30." in alt
    assert "control, equal steps, loss minus the teacher's in nats: 50–900: 0.00" in alt
    assert "never: 2.50" in alt


@pytest.mark.parametrize(
    "bins", [BINS, [f"{n}–{2 * n}" for n in (16, 32, 64, 128, 256, 512, 1024)]]
)
def test_the_names_of_the_bins_do_not_touch(bins):
    losses = {"student": {"forward_kl": [0.1] * len(bins), "excess": [0.1] * len(bins)}}
    figure = plots.lost_by_bin(losses, bins, over="x")
    figure.draw_without_rendering()
    labels = figure.axes[-1].get_xticklabels()
    if labels[0].get_rotation() == 0:
        ends = [label.get_window_extent() for label in labels]
        assert all(left.x1 < right.x0 for left, right in zip(ends, ends[1:]))
    else:
        assert len(bins) > 5


def test_documents_are_sorted_by_the_students_loss():
    figure = plots.lost_by_document(LOSSES, ["a", "b", "c"])
    left, right = figure.axes
    assert [tick.get_text() for tick in left.get_yticklabels()] == ["c", "b", "a"]
    assert lines(left)["student"] == ([0.3, 0.2, 0.1], [0, 1, 2])
    assert lines(right)["control, equal steps"] == ([2.5, 0.8, 0.0], [0, 1, 2])
    assert "c: 1.25, b: 0.40, a: -0.10" in figure.alt


def test_a_name_with_dollars_is_no_formula():
    losses = {"student": {"forward_kl": [0.1, 0.2], "excess": [0.1, 0.2]}}
    picture = plots.lost_by_document(losses, [r"$\frac$", "日本"])
    assert "frac$</text>" in plots.svg(picture) and "日本</text>" in plots.svg(picture)


def test_of_many_documents_the_worst_twelve_are_drawn():
    excess = [number / 10 for number in range(40)]
    losses = {"student": {"forward_kl": excess, "excess": excess}}
    names = [f"folder_of_many_texts/{number:02}" for number in range(40)]
    figure = plots.lost_by_document(losses, names)
    shown = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert len(shown) == 12
    assert shown[0].endswith("/39") and shown[-1].endswith("/28")
    assert max(map(len, shown)) <= 20
