"""The chapters' figures: what is drawn is the data."""

import math

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from kdlib import plots

AXES = {"xlabel": "x", "ylabel": "y", "alt": "Words."}
P, Q = [0.7, 0.2, 0.1], torch.tensor([0.5, 0.25, 0.25])
WORDS = ["mat", "sofa", "moon"]


def lines(picture):
    """Label -> (x, y) of every line."""
    drawn = picture.axes[0].lines
    return {line.get_label(): tuple(np.asarray(line.get_data()).tolist()) for line in drawn}


def legend(picture):
    return [text.get_text() for text in picture.legends[0].get_texts()]


def words(axis):
    return [tick.get_text() for tick in axis.get_ticklabels()]


def test_distributions_stand_side_by_side_over_their_words():
    picture = plots.distributions({"teacher": P, "student": Q}, WORDS, alt="Words.")
    axes = picture.axes[0]
    assert [bar.get_height() for bar in axes.containers[0]] == P
    assert [bar.get_height() for bar in axes.containers[1]] == Q.tolist()
    edges = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in axes.patches]
    assert len({position for low, high in sorted(edges) for position in (low, high)}) == 12
    assert all(low > high for (_, high), (low, _) in zip(sorted(edges), sorted(edges)[1:]))
    assert lines(picture)["student"] == (pytest.approx([0.2, 1.2, 2.2]), Q.tolist())
    assert words(axes.xaxis) == WORDS and axes.get_ylabel() == "probability"
    assert legend(picture) == ["teacher", "student"]


def test_one_distribution_stands_in_the_middle_and_long_words_are_turned():
    short = plots.distributions({"teacher": P}, WORDS, alt="Words.").axes[0]
    long = plots.distributions({"teacher": P}, [word * 5 for word in WORDS], alt="Words.").axes[0]
    assert [bar.get_x() + bar.get_width() / 2 for bar in short.patches] == pytest.approx([0, 1, 2])
    assert short.get_xticklabels()[0].get_rotation() == 0
    assert long.get_xticklabels()[0].get_rotation() == 40


def test_curves_draw_lines_and_bands():
    y, low, high = torch.tensor([2.0, 3.0]), [1.0, 2.0], [4.0, 5.0]
    picture = plots.curves([1, 10], {"student": (y, low, high), "uniform": [3, 3]}, **AXES)
    assert lines(picture) == {"student": ([1, 10], [2, 3]), "uniform": ([1, 10], [3, 3])}
    (band,) = picture.axes[0].collections
    corners = {tuple(corner) for corner in band.get_paths()[0].vertices.tolist()}
    assert corners == {(1, 1), (1, 4), (10, 2), (10, 5)}
    assert to_hex(band.get_facecolor()[0]) == plots.LOOKS["student"].color
    assert [text.get_text() for text in picture.axes[0].texts] == ["student", "uniform"]


def test_curves_scales_and_marks():
    plain = plots.curves([1, 10], {"a": [1, 2]}, **AXES).axes[0]
    assert (plain.get_xscale(), plain.get_yscale()) == ("linear", "linear")
    both = plots.curves([1, 10], {"a": [1, 2]}, logx=True, logy=True, mark={"here": 3}, **AXES)
    axes = both.axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert [line.get_xdata() for line in axes.lines[1:]] == [[3, 3]]
    assert [text.get_text() for text in axes.texts] == ["here", "a"]


def test_many_points_do_not_drown_their_line_in_markers():
    x = range(100)
    drawn = plots.curves(x, {"a": x, "b": x}, **AXES).axes[0].lines
    assert [line.get_markevery() for line in drawn] == [(0, 10), (5, 10)]
    few = plots.curves(range(24), {"a": range(24)}, **AXES).axes[0].lines
    assert [line.get_markevery() for line in few] == [(0, 1)]


def test_points_are_not_joined():
    picture = plots.points({"a": ([1, 2], torch.tensor([3, 4])), "b": ([5], [6])}, **AXES)
    assert lines(picture) == {"a": ([1, 2], [3, 4]), "b": ([5], [6])}
    assert {line.get_linestyle() for line in picture.axes[0].lines} == {"None"}
    assert legend(picture) == ["a", "b"]


def test_intervals_stand_in_rows_the_first_on_top():
    rows = {"first": (2, 1, 4), "second": (5, 4, 6)}
    picture = plots.intervals(rows, xlabel="x", alt="Words.", baseline=3)
    axes = picture.axes[0]
    whiskers, dots = axes.lines[0:4:2], axes.lines[1:4:2]
    assert [tuple(map(list, line.get_data())) for line in whiskers] == [
        ([1, 4], [0, 0]),
        ([4, 6], [1, 1]),
    ]
    assert [tuple(map(list, line.get_data())) for line in dots] == [([2], [0]), ([5], [1])]
    assert words(axes.yaxis) == ["first", "second"]
    bottom, top = axes.get_ylim()
    assert bottom > top
    assert axes.lines[4].get_xdata() == [3, 3] and axes.texts[0].get_text() == "baseline"


def test_intervals_with_a_named_baseline_and_with_none():
    named = plots.intervals({"a": (2, 1, 3)}, xlabel="x", alt="Words.", baseline={"truth": 0})
    assert [text.get_text() for text in named.axes[0].texts] == ["truth"]
    without = plots.intervals({"a": (2, 1, 3)}, xlabel="x", alt="Words.")
    assert len(without.axes[0].lines) == 2 and not without.axes[0].texts


def test_heat_map_writes_the_numbers_where_they_are():
    matrix = [[0.0, 1.0, math.nan], [2.0, 3.0, 10.0]]
    names = {"rows": ["r", "s"], "columns": [1, 2, 3], "fmt": "{:.1f}"}
    axes = plots.heat_map(torch.tensor(matrix), **names, **AXES).axes[0]
    written = {text.get_position(): text.get_text() for text in axes.texts}
    assert written == {(0, 0): "0.0", (1, 0): "1.0", (0, 1): "2.0", (1, 1): "3.0", (2, 1): "10.0"}
    assert words(axes.xaxis) == ["1", "2", "3"] and words(axes.yaxis) == ["r", "s"]
    inks = {text.get_position(): text.get_color() for text in axes.texts}
    assert inks[0, 0] == "white" and inks[2, 1] == "black"


@pytest.mark.parametrize("alt", ["", "  "])
def test_no_picture_without_words(alt):
    with pytest.raises(ValueError, match="alt is empty"):
        plots.points({"a": ([1], [1])}, **AXES | {"alt": alt})


def test_data_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="student has 2 values; it must have 3"):
        plots.distributions({"student": [0.5, 0.5]}, WORDS, alt="Words.")
    with pytest.raises(ValueError, match="a has 1 values; it must have 2"):
        plots.curves([1, 2], {"a": [1]}, **AXES)
    with pytest.raises(ValueError, match="b has 2 values; it must have 1"):
        plots.points({"b": ([1], [1, 2])}, **AXES)
    with pytest.raises(ValueError, match="row r has 1 values; it must have 2"):
        plots.heat_map([[1]], rows=["r"], columns=["a", "b"], **AXES)
    with pytest.raises(ValueError, match="matrix has 2 rows, but 1 are named"):
        plots.heat_map([[1], [2]], rows=["r"], columns=["a"], **AXES)
