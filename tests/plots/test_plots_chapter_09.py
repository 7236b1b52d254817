"""The words of a batch: each stands in its cell, filled by what it is to the loss."""

import matplotlib.colors
import pytest

from kdlib.plots.chapter_09 import FILLS, counted_words

TEXTS = [[".", "the", "owl", "sings"], [".", "every", ".", "."]]
KINDS = [["given", "counted", "counted", "counted"], ["given", "counted", "counted", "not counted"]]


@pytest.fixture
def picture():
    return counted_words(TEXTS, KINDS, alt="Two rows of words.")


def test_each_word_stands_in_its_cell(picture):
    axes = picture.axes[0]
    drawn = {text.get_position(): text.get_text() for text in axes.texts}
    assert drawn == {(c, r): TEXTS[r][c] for r in range(2) for c in range(4)}
    middles = [(round(p.get_x() + p.get_width() / 2), round(p.get_y() + 0.4)) for p in axes.patches]
    assert sorted(middles) == sorted(drawn)
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    assert left < 0 and right > 3 and bottom > 1 and top < 0  # the first text stands at the top


def test_cells_are_filled_by_their_kind(picture):
    for cell in picture.axes[0].patches:
        place, row = round(cell.get_x() + 0.46), round(cell.get_y() + 0.4)
        color, opacity = FILLS[KINDS[row][place]]
        shown = matplotlib.colors.to_rgba(color, opacity) if color != "none" else (0, 0, 0, 0)
        assert cell.get_facecolor() == pytest.approx(shown)


def test_only_words_that_do_not_count_are_struck_out(picture):
    lines = [line.get_xydata() for line in picture.axes[0].lines]
    assert [line.mean(axis=0).tolist() for line in lines] == [[3, 1]]


def test_the_kinds_are_named_and_the_words_are_the_authors(picture):
    assert [text.get_text() for text in picture.legends[0].get_texts()] == list(FILLS)
    assert picture.alt == "Two rows of words."


def test_rows_of_different_length_are_refused():
    with pytest.raises(ValueError):
        counted_words([["a", "b"]], [["given"]], alt="One row.")
