"""An order is right exactly if nothing stands before what it needs; what is said of others is true."""

import itertools
import re

import pytest

from kdlib.exercises import exercise, exercises
from kdlib.exercises.kinds.orderings import ordering

ORDERINGS = [e for e in exercises().values() if e.kind == "ordering"]
ABOUT = {"source": ("Q01",), "difficulty": 1, "minutes": 1, "hints": ("think", "look")}


def breaks(order, pairs):
    """The pairs of item numbers, from 1, that the order has the wrong way round."""
    return {(a, b) for a, b in pairs if order.index(b) < order.index(a)}


def orders(e):
    """Every order, as letters and as item numbers."""
    for letters in map("".join, itertools.permutations(e.letters)):
        yield letters, [e.letters.index(letter) + 1 for letter in letters]


@pytest.mark.parametrize("e", ORDERINGS, ids=lambda e: e.id)
def test_the_linear_extensions_are_right_and_no_others(e):
    for letters, order in orders(e):
        expected = "wrong" if breaks(order, e.before) else "correct"
        assert e.check(letters).outcome == expected, letters


@pytest.mark.parametrize("e", ORDERINGS, ids=lambda e: e.id)
def test_what_is_said_of_a_wrong_order_is_true_of_it(e):
    pairs = {w.seen: (a + 1, b + 1) for (a, b), w in zip(e.pairs, e.wrongs)}
    for letters, order in orders(e):
        verdict = e.check(letters)
        if verdict.outcome == "wrong":
            assert breaks(order, [pairs[verdict.seen]]), (letters, verdict)


def test_inputs_may_be_collected_at_any_time_before_the_teacher_is_asked():
    e = exercise("plan-for-a-phone")
    right = {letters for letters, _ in orders(e) if e.check(letters)}
    assert right == {"aecfdb", "acefdb", "acfedb", "caefdb", "cafedb", "cfaedb"}


def test_four_different_divergences_have_one_order():
    e = exercise("four-students")
    assert [letters for letters, _ in orders(e) if e.check(letters)] == [e.letters]


@pytest.fixture
def diamond():
    """1 before 2 and 3, both before 4; no wrong pair has a name."""
    before = ((1, 2), (1, 3), (2, 4), (3, 4))
    return ordering("diamond", prompt="?", items=("i", "j", "k", "l"), before=before, **ABOUT)


def test_an_unnamed_mistake_names_a_letter_that_does_stand_too_early(diamond):
    needed = {*diamond.before, (1, 4)}
    for letters, order in orders(diamond):
        verdict = diamond.check(letters)
        if verdict:
            continue
        assert verdict.misconception is None
        letter = re.match(r"\((\w)\) stands before something that belongs before it", verdict.seen)
        item = order[letters.index(letter[1])]
        assert any(pair[1] == item for pair in breaks(order, needed))


def test_both_right_orders_are_shown_to_the_tests(diamond):
    one, two, three, four = diamond.letters
    assert {one + two + three + four, one + three + two + four} <= set(
        filter(lambda answer: isinstance(answer, str), diamond.right_answers())
    )


def test_a_named_pair_must_follow_from_what_is_needed(diamond):
    diamond.wrong(1, 4, "order-of-work", seen="s", expected="e")  # it follows: 1, 2, 4
    with pytest.raises(ValueError, match="may stand before"):
        diamond.wrong(2, 3, "order-of-work", seen="s", expected="e")
    with pytest.raises(ValueError, match="item numbers"):
        ordering("turned", prompt="?", items=("i", "j"), before=((2, 1),), **ABOUT)
