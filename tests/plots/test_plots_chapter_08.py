"""The bars of chapter 8: what is drawn are the sizes, end to end."""

import pytest

from kdlib.plots.chapter_08 import stacked_bars

BARS = {"dense": {"logits": 80, "state": 17}, "linear": {"state": 17, "gradients": 2.5}}


@pytest.fixture
def picture():
    return stacked_bars(BARS, xlabel="MB", alt="Two bars of three parts.")


def drawn(picture):
    """{part: [(start, length) in each bar]}"""
    return {
        group.get_label(): [(bar.get_x(), bar.get_width()) for bar in group]
        for group in picture.axes[0].containers
    }


def test_each_part_begins_where_the_one_before_ends(picture):
    assert drawn(picture) == {
        "logits": [(0, 80), (0, 0)],
        "state": [(80, 17), (0, 17)],
        "gradients": [(97, 0), (17, 2.5)],
    }


def test_the_first_item_is_on_top_and_all_are_named(picture):
    axes = picture.axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == list(BARS)
    low, high = axes.get_ylim()
    assert low > high
    assert [text.get_text() for text in picture.legends[0].get_texts()] == list(drawn(picture))
    assert axes.get_xlabel() == "MB"


def test_parts_differ_in_colour_and_in_pattern(picture):
    groups = picture.axes[0].containers
    looks = {(group[0].get_edgecolor(), group[0].get_hatch()) for group in groups}
    assert len({colour for colour, _ in looks}) == len({hatch for _, hatch in looks}) == 3


def test_it_is_described(picture):
    assert picture.alt == "Two bars of three parts."
    with pytest.raises(ValueError, match="alt is empty"):
        stacked_bars(BARS, xlabel="MB", alt=" ")
