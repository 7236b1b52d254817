"""The wall of chapter 3: what is drawn is the count."""

import numpy as np
import pytest

from kdlib.plots.chapter_03 import terms_and_walls

LENGTHS = range(1, 21)


@pytest.fixture
def picture():
    walls = {"a day": 8.64e10, "for ever": 1e35}
    return terms_and_walls(LENGTHS, [8, 50_000], walls, alt="Lines that rise through walls.")


def test_each_vocabulary_is_a_line_of_its_powers(picture):
    axes = picture.axes[0]
    drawn = {line.get_label(): np.asarray(line.get_data()) for line in axes.lines}
    for label, size in (("V = 8", 8), ("V = 50,000", 50_000)):
        lengths, terms = drawn[label]
        assert lengths.tolist() == list(LENGTHS)
        assert terms == pytest.approx([float(size) ** n for n in LENGTHS], rel=1e-12)
    assert axes.get_yscale() == "log"
    assert [text.get_text() for text in picture.legends[0].get_texts()] == ["V = 8", "V = 50,000"]


def test_walls_are_horizontal_and_named(picture):
    axes = picture.axes[0]
    flat = {line.get_ydata()[0] for line in axes.lines if len(set(line.get_ydata())) == 1}
    assert flat == {8.64e10, 1e35}
    assert {text.get_text(): text.xy[1] for text in axes.texts} == {
        "a day": 8.64e10,
        "for ever": 1e35,
    }


def test_ticks_are_whole_lengths_and_the_words_are_the_authors(picture):
    axes = picture.axes[0]
    assert axes.get_xticks().tolist() == [5, 10, 15, 20]
    low, high = axes.get_ylim()
    assert low < 8 and high > 50_000.0**20
    assert picture.alt == "Lines that rise through walls."
