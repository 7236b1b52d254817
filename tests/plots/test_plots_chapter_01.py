"""The pieces of KL in chapter 1: what is drawn is the sum, word by word."""

import math

import pytest

from kdlib.plots.chapter_01 import signed_pieces

P, Q = (0.6, 0.3, 0.1), (0.4, 0.4, 0.2)
PIECES = [p * math.log(p / q) for p, q in zip(P, Q)]


@pytest.fixture
def axes():
    return signed_pieces(["a", "b", "c"], P, Q, alt="Bars above, pieces below.").axes


def heights(axes):
    return [bar.get_height() for bar in axes.patches]


def test_both_distributions_are_drawn(axes):
    assert heights(axes[0]) == [*P, *Q]
    assert [text.get_text() for text in axes[0].get_legend().get_texts()] == ["teacher", "student"]


def test_the_pieces_have_their_signs_and_the_last_bar_is_their_sum(axes):
    assert heights(axes[1]) == pytest.approx([*PIECES, sum(PIECES)])
    assert [text.get_text() for text in axes[1].texts][-1] == f"{sum(PIECES):+.2f}"
    assert [tick.get_text() for tick in axes[1].get_xticklabels()] == ["a", "b", "c", "sum = KL"]


def test_its_words_are_the_authors():
    assert signed_pieces(["a"], [1.0], [1.0], alt="One.").alt == "One."
