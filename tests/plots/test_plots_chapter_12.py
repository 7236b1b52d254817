"""Every training stands below the whisker of its arm's mean."""

import pytest

from kdlib.claims.rules import interval
from kdlib.plots.chapter_12 import trainings

ARMS = {
    "reads": ([6.1, 6.3, 6.2], (6.2, 5.9, 6.5)),
    "writes": ([5.0, 5.5, 6.0], interval([5.0, 5.5, 6.0])),
}


@pytest.fixture
def axes():
    return trainings(ARMS, xlabel="loss", alt="Two rows.", mark={"margin": 6.0}).axes[0]


def test_each_arm_has_a_whisker_a_mean_and_its_trainings(axes):
    for row, (numbers, (value, low, high)) in enumerate(ARMS.values()):
        whisker, mean, strokes = axes.lines[3 * row : 3 * row + 3]
        assert list(whisker.get_xdata()) == [low, high] and list(mean.get_xdata()) == [value]
        assert list(whisker.get_ydata()) == [row, row] and list(mean.get_ydata()) == [row]
        assert list(strokes.get_xdata()) == numbers
        assert all(row < place < row + 0.5 for place in strokes.get_ydata())


def test_the_first_arm_is_on_top_and_all_are_named(axes):
    assert [tick.get_text() for tick in axes.get_yticklabels()] == list(ARMS)
    bottom, top = axes.get_ylim()
    assert bottom > max(axes.lines[5].get_ydata()) and top < 0
    assert axes.get_xlabel() == "loss"


def test_a_mark_is_named(axes):
    assert axes.lines[6].get_xdata() == [6.0, 6.0]
    assert [text.get_text() for text in axes.texts] == ["margin"]


def test_words_are_needed():
    assert trainings(ARMS, xlabel="loss", alt="Two rows.").alt == "Two rows."
    with pytest.raises(ValueError, match="alt is empty"):
        trainings(ARMS, xlabel="loss", alt=" ")
