"""Names in a figure: beside the ends of lines, apart from each other, or in a legend."""

import math

import pytest
from matplotlib.text import Text

from kdlib import plots
from kdlib.plots.labels import spread

AXES = {"xlabel": "x", "ylabel": "y", "alt": "Words."}


def named(picture):
    """{text: colour} of what stands beside or in the axes."""
    return {text.get_text(): text.get_color() for text in picture.axes[0].texts}


def legend(picture):
    return [text.get_text() for each in picture.legends for text in each.get_texts()]


def test_lines_are_named_at_their_ends_in_their_colours():
    picture = plots.curves([1, 2], {"student": [1, 2], "teacher": [2, 3]}, **AXES)
    assert named(picture) == {name: plots.LOOKS[name].color for name in ("student", "teacher")}
    assert legend(picture) == []
    assert [text.xy for text in picture.axes[0].texts] == [(2, 2), (2, 3)]


@pytest.mark.parametrize(
    "series",
    [
        {"ends early": [1, math.nan], "whole": [1, 2]},
        {"leaves": [1, math.inf], "whole": [1, 2]},
        {"a name that is longer than there is room for": [1, 2]},
        {letter: [1, 2] for letter in "abcdefg"},
    ],
)
def test_where_there_is_no_room_or_no_end_there_is_a_legend(series):
    picture = plots.curves([1, 2], series, **AXES)
    assert legend(picture) == list(series) and named(picture) == {}


def test_names_stand_apart_and_in_the_order_of_the_lines():
    picture = plots.curves([1, 2], {"b": [0, 1.001], "a": [0, 1], "c": [0, 1.002]}, **AXES)
    picture.draw_without_rendering()
    boxes = {text.get_text(): Text.get_window_extent(text) for text in picture.axes[0].texts}
    assert boxes["a"].y1 <= boxes["b"].y0 and boxes["b"].y1 <= boxes["c"].y0
    assert max(box.x1 for box in boxes.values()) <= picture.bbox.x1


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([], []),
        ([0.0, 1.0], [0.0, 1.0]),
        ([0.5, 0.5], [0.4, 0.6]),
        ([0.0, 0.1, 1.0], [-0.05, 0.15, 1.0]),
        ([0.5, 0.5, 0.6], [1 / 3, 8 / 15, 11 / 15]),
        ([0.3, 0.45, 0.55], [7 / 30, 13 / 30, 19 / 30]),
    ],
)
def test_places_move_as_little_as_it_takes(places, expected):
    assert spread(places, 0.2) == pytest.approx(expected)


def test_a_note_points_at_what_it_is_about():
    for draw in (
        lambda **more: plots.curves([1, 2], {"a": [1, 2]}, **AXES, **more),
        lambda **more: plots.points({"a": ([1, 2], [1, 2])}, **AXES, **more),
    ):
        texts = {text.get_text(): text for text in draw(notes={"look": (1, 1)}).axes[0].texts}
        assert texts["look"].xy == (1, 1) and texts["look"].arrow_patch
        assert texts["look"].xyann == (24, 26), "towards the middle"
        (moved,) = [t for t in draw(notes={"l": (2, 2, -9, 5)}).axes[0].texts if t.xy == (2, 2) and
                    t.get_text() == "l"]  # fmt: skip
        assert moved.xyann == (-9, 5)


def test_a_logarithmic_axis_says_plain_numbers_where_they_are_short():
    def ticks(y):
        axes = plots.curves([1, 2], {"a": y}, **AXES, logy=True).axes[0]
        axes.figure.draw_without_rendering()
        return {text.get_text() for which in ("major", "minor")
                for text in axes.get_yticklabels(which=which)}  # fmt: skip

    assert {"10", "30"} <= ticks([4, 32])
    assert any("10^{" in text for text in ticks([1, 1e9]))
