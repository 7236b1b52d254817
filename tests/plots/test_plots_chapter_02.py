"""The figures of chapter 2: every word and step is drawn, and every model reads what it is given."""

import pytest
from matplotlib.patches import FancyArrowPatch

from kdlib.plots.chapter_02 import THICKEST, THINNEST, story_graph, who_reads_what

COLUMNS = [["the"], ["fox", "owl"], ["sings"], ["."]]
STEPS = {
    (".", "the"): 1.0,
    ("the", "fox"): 0.75,
    ("the", "owl"): 0.25,
    ("the", "."): 0.0,
    ("fox", "sings"): 0.001,
    ("sings", "the"): 0.5,
}
PAIRINGS = {"right": ("x", "x'"), "both x": ("x", "x"), "exchanged": ("x'", "x")}


@pytest.fixture
def graph():
    return story_graph(COLUMNS, STEPS, alt="Five words.")


def arrows(axes):
    return [patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]


def test_every_word_stands_once_and_the_end_twice(graph):
    words = [text.get_text() for text in graph.axes[0].texts]
    assert sorted(words) == [".", ".", "fox", "owl", "sings", "the"]
    assert graph.alt == "Five words."


def test_an_arrow_is_as_thick_as_its_step_is_frequent(graph):
    widths = [arrow.get_linewidth() for arrow in arrows(graph.axes[0])]
    expected = [1.0, 0.75, 0.25, THINNEST / THICKEST, 0.5]  # what never happens is not drawn
    assert widths == pytest.approx([THICKEST * often for often in expected])


def test_words_follow_each_other_from_left_to_right(graph):
    across = {text.get_text(): text.get_position()[0] for text in graph.axes[0].texts[:5]}
    assert across["the"] < across["fox"] == across["owl"] < across["sings"] < across["."]


def test_what_leads_back_has_another_colour(graph):
    colours = [arrow.get_edgecolor()[:3] for arrow in arrows(graph.axes[0])]
    assert colours[-1] != colours[0]
    assert len(set(colours[:-1])) == 1


def test_each_model_reads_its_own_input():
    picture = who_reads_what(PAIRINGS, alt="Three pairings.")
    for axes, (title, (teacher, student)) in zip(picture.axes, PAIRINGS.items(), strict=True):
        heights = {text.get_text(): text.get_position()[1] for text in axes.texts}
        assert axes.get_title() == title
        if teacher != student:
            assert heights[teacher] == heights["teacher"] > heights["student"] == heights[student]
        assert [text.get_text() for text in axes.texts].count(teacher) == 1 + (teacher == student)


def test_the_gradient_reaches_the_student_and_not_the_teacher():
    (axes,) = who_reads_what({"right": ("x", "x'")}, alt="One.").axes
    (gradient,) = [arrow for arrow in arrows(axes) if arrow.get_linestyle() == "--"]
    heights = {text.get_text(): text.get_position()[1] for text in axes.texts}
    _, stop = gradient._posA_posB
    assert abs(stop[1] - heights["student"]) < 0.2 < abs(stop[1] - heights["teacher"])
    assert any("student only" in text for text in heights)
