"""The frontier of chapter 7: every training at its cost, with its whisker, and the named levels."""

import numpy as np
import pytest

from kdlib.plots.chapter_07 import frontier

ARMS = {
    "lesson": [(1e9, 6.5, 6.4, 6.6), (4e9, 6.7, 6.6, 6.9)],
    "new text": [(1e9, 6.3, 6.2, 6.4), (2e9, 5.9, 5.8, 6.0), (8e9, 5.6, 5.5, 5.8)],
}


@pytest.fixture
def picture():
    return frontier(
        ARMS, {"a table": 5.2}, xlabel="operations", ylabel="nats", alt="Two falling lines."
    )


def test_every_training_is_drawn_at_its_cost_and_its_loss(picture):
    drawn = {line.get_label(): np.array(line.get_data()).T for line in picture.axes[0].lines}
    for kind, trainings in ARMS.items():
        assert drawn[kind].tolist() == [list(training[:2]) for training in trainings]


def test_every_training_has_its_whisker(picture):
    whiskers = [segment for c in picture.axes[0].collections for segment in c.get_segments()]
    ends = [(cost, low, high) for kind in ARMS.values() for cost, _, low, high in kind]
    assert [(w[0][0], w[0][1], w[1][1]) for w in whiskers] == ends


def test_a_level_is_a_horizontal_line_with_its_name(picture):
    axes = picture.axes[0]
    assert [5.2, 5.2] in [list(line.get_ydata()) for line in axes.lines]
    assert "a table" in [text.get_text() for text in axes.texts]


def test_costs_are_on_a_logarithmic_axis_and_the_words_are_the_authors(picture):
    assert picture.axes[0].get_xscale() == "log"
    assert picture.alt == "Two falling lines."


def test_without_words_there_is_no_picture():
    with pytest.raises(ValueError, match="alt is empty"):
        frontier(ARMS, {}, xlabel="operations", ylabel="nats", alt=" ")
