"""The figures of chapter 3: what is drawn is the count, and the tree."""

import numpy as np
import pytest

from kdlib.plots.chapter_03 import THICKEST, prefix_tree, terms_and_walls

LENGTHS = range(1, 21)
SHARES = {"b": 0.6, "b c": 0.45, "a": 0.4, "a c": 0.4, "b d": 0.15}


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
    assert {"V = 8", "V = 50,000"} <= {text.get_text() for text in axes.texts}


def test_walls_are_horizontal_and_their_names_stand_where_no_line_is(picture):
    axes = picture.axes[0]
    flat = {line.get_ydata()[0] for line in axes.lines if len(set(line.get_ydata())) == 1}
    assert flat == {8.64e10, 1e35}
    named = {text.get_text(): text for text in axes.texts}
    # 8 ** 20 is beyond a day, so that both lines have left the right end below it.
    for name, terms, side in (("a day", 8.64e10, "top"), ("for ever", 1e35, "bottom")):
        assert named[name].xy[1] == terms
        assert named[name].get_verticalalignment() == side


def test_ticks_are_whole_lengths_and_the_words_are_the_authors(picture):
    axes = picture.axes[0]
    assert axes.get_xticks().tolist() == [5, 10, 15, 20]
    low, high = axes.get_ylim()
    assert low < 8 and high > 50_000.0**20
    assert picture.alt == "Lines that rise through walls."


def tree(**more):
    return prefix_tree(SHARES, alt="A tree.", **more)


def ends(line):
    x, y = line.get_data()
    return (x[0], y[0]), (x[-1], y[-1])


def test_a_branch_is_as_thick_as_its_prefix_is_probable():
    lines = tree().axes[0].lines
    assert [line.get_linewidth() for line in lines] == [
        pytest.approx(THICKEST * share) for share in SHARES.values()
    ]


def test_branches_hang_together_and_rows_of_one_parent_stand_together():
    b, b_c, a, a_c, b_d = map(ends, tree().axes[0].lines)
    assert b[0] == a[0] == (0, pytest.approx(1.25))  # the root, between its two branches
    assert b[1] == b_c[0] == b_d[0] == (1, 0.5)
    assert [end[1] for _, end in (b_c, b_d, a_c)] == [0, 1, 2]
    assert a[1] == a_c[0] == (1, 2)


def test_rows_have_their_probability_and_how_often_they_were_drawn():
    texts = {
        (text.get_text(), text.get_position()[1])
        for text in tree(drawn={"b c": 44, "b d": 16, "a c": 1_040}).axes[0].texts
    }
    assert {("0.4500", 0), ("0.1500", 1), ("0.4000", 2)} <= texts
    assert {("44", 0), ("16", 1), ("1,040", 2), ("drawn", -0.9)} <= texts


def test_a_path_runs_from_the_root_to_its_output():
    picture = tree(paths={"greedy": "b c", "best": "b d"})
    path = {line.get_label(): ends(line) for line in picture.axes[0].lines}
    assert path["greedy"] == ((0, pytest.approx(1.25)), (2, 0))
    assert path["best"] == ((0, pytest.approx(1.25)), (2, 1))
    assert [t.get_text() for t in picture.legends[0].get_texts()] == ["greedy", "best"]
    assert picture.alt == "A tree."


def test_a_child_before_its_parent_is_refused():
    with pytest.raises(ValueError, match="'b c' stands before its parent 'b'"):
        prefix_tree({"b c": 0.5, "b": 0.5}, alt="A tree.")
