"""What a verdict says is seen is true of the answer, also where a mistake is only guessed at."""

import math

import numpy as np
import pytest
import torch

from kdlib.exercises import code, exercise, exercises
from kdlib.exercises.authoring.inputs import normal
from kdlib.exercises.judging.values import difference
from kdlib.exercises.kinds.functions import CodeExercise
from kdlib.exercises.kinds.numbers import BITS, NumberExercise, number

ABOUT = {"source": ("Q01",), "difficulty": 1, "minutes": 1, "hints": ("think", "look")}
NUMBERS = [e for e in exercises().values() if isinstance(e, NumberExercise)]
CODE = [e for e in exercises().values() if isinstance(e, CodeExercise)]

# ---------------------------------------------------------------- numbers


def grid(e, points=3000):
    """Numbers around all that are known, with the stated decimals and with one less."""
    known = [e.value, *(w.example for w in e.wrongs if math.isfinite(w.example))]
    low, high = min(known), max(known)
    line = np.linspace(low - (high - low) / 3, high + (high - low) / 3, points)
    for decimals in (e.decimals, max(e.decimals - 1, 0)):
        yield from (round(float(x), decimals) for x in line)


@pytest.mark.parametrize("e", NUMBERS, ids=lambda e: e.id)
def test_a_number_is_said_to_be_a_mistakes_value_only_where_it_is(e):
    half = 0.5 * 10.0**-e.decimals * (1 + 1e-6)
    unit_free = {w.seen: w.example for w in e.wrongs}
    for given in sorted(set(grid(e))):
        verdict = e.judge(given)
        if verdict.seen in unit_free:
            mistake = unit_free[verdict.seen]
            assert abs(given - mistake) <= half, (given, verdict)
        elif verdict.misconception:
            check_looks_like(e, given, verdict, half)
        else:
            check_unnamed(e, given, verdict)


def check_looks_like(e, given, verdict, half):
    """A verdict that names a mistake from a likeness says of which kind it is."""
    values = [w.example for w in e.wrongs if w.misconception == verdict.misconception]
    if verdict.seen == "the sign is wrong":
        assert abs(given + e.value) <= half
    elif "in bits" in verdict.seen:
        assert e.unit == "nats" and abs(given - e.value * BITS) <= half
    else:
        assert verdict.seen.startswith("the value looks like")
        forms = [(v, 0.01 * abs(v)) for v in values] + [(-v, half) for v in values]
        forms += [(v * (BITS if e.unit == "nats" else 100), half) for v in values]
        assert any(abs(given - v) <= room + 1e-9 for v, room in forms), (given, verdict)


def check_unnamed(e, given, verdict):
    if verdict:
        assert e.close(given, e.value)
    elif "too large" in verdict.seen:
        assert given > e.value
    elif "too small" in verdict.seen:
        assert given < e.value
    elif "percentage" in verdict.seen:
        assert given == pytest.approx(100 * e.value, abs=0.5)
    else:
        assert "close" in verdict.seen or "whole number" in verdict.seen


def test_bits_are_looked_for_only_where_the_unit_is_nats():
    verdict = exercise("accuracy-behind-the-noise").check(0.29)
    assert verdict.misconception is None


@pytest.fixture
def share():
    some_share = number("some-share", value=0.6875, prompt="n", decimals=2, **ABOUT)
    some_share.wrong("order-of-work", 0.2909, seen="it is turned", expected="e")
    return some_share


def test_a_percentage_is_known_at_its_own_precision(share):
    for given in (69, 68.8, 68.75, "69"):
        assert share.check(given).seen == "the value looks like a percentage", given
    for given in (68, 70, 68.9):
        assert "percentage" not in share.check(given).seen, given


def test_a_coarse_number_is_named_without_what_is_seen(share):
    assert share.check(0.29).seen == "it is turned"
    assert share.check(0.3).misconception is None  # 3 % off
    assert share.check(0.293).seen == "it is turned"
    assert share.check(0.2965).misconception is None  # 0.30 when it is rounded

    some_number = number("some-number", value=5.0, prompt="n", decimals=3, **ABOUT)
    some_number.wrong("order-of-work", 2.718, seen="it is turned", expected="e")
    near = some_number.check(2.72)
    assert near.misconception == "order-of-work" and near.seen.startswith("the value looks like")
    assert some_number.check(2.721).misconception is None
    some_number.wrong("kl-reversed", 2.7195, seen="it is another", expected="e")
    assert some_number.check(2.72).seen == "it is another"
    assert some_number.check(2.7).misconception is None


def test_a_second_slip_gives_the_name_and_says_so(share):
    verdict = share.check(-0.29)
    assert verdict.misconception == "order-of-work" and "minus" in verdict.seen


# ---------------------------------------------------------------- code


def test_a_pair_in_the_wrong_order_is_told_as_that():
    e = exercise("losses-of-settings")
    verdict = e.check(lambda *a: e.reference(*a)[::-1])
    assert verdict.misconception is None and "another order" in verdict.seen


@pytest.mark.parametrize("change", [lambda best: best + 1, lambda best: 0])
def test_an_index_that_is_off_is_not_said_to_be_the_largest(change):
    e = exercise("losses-of-settings")

    def answer(*args):
        losses, best = e.reference(*args)
        return losses, change(best)

    verdict = e.check(answer)
    assert verdict.outcome == "wrong" and "largest" not in verdict.seen, verdict


@pytest.fixture
def rows():
    @code(prompt="rows", **ABOUT)
    def row_sums(x):
        """The sum of each row. (B, V) -> (B,)"""
        return x.sum(dim=-1)

    for number_of_rows in (3, 4, 5):
        row_sums.probe(f"{number_of_rows} rows", normal(number_of_rows, 6, seed=number_of_rows))
    row_sums.mistakes(
        ("order-of-work", "it is squared", "no square", lambda x: x.square().sum(dim=-1)),
        ("kl-reversed", "it is the largest", "all of them", lambda x: x.amax(dim=-1)),
    )
    return row_sums


def test_most_probes_give_a_name_but_not_what_is_seen(rows):
    def mostly(x):
        return x.square().sum(dim=-1) if len(x) > 3 else x.amin(dim=-1)

    verdict = rows.check(mostly)
    assert verdict.misconception == "order-of-work"
    assert "squared" not in verdict.seen
    assert "on 2 of the 3 probes that fail it is what this mistake gives" in verdict.seen


def test_a_mistake_times_a_constant_gives_a_name_but_not_what_is_seen(rows):
    verdict = rows.check(lambda x: 7 * x.amax(dim=-1))
    assert verdict.misconception == "kl-reversed"
    assert verdict.seen == "every result is 7 times what this mistake gives"


def test_one_number_for_all_rows_is_not_claimed_where_sizes_agree_by_chance():
    @code(prompt="best", **ABOUT)
    def totals(x, settings):
        """Totals of the settings. (B, V), K numbers -> (K,)"""
        return torch.stack([x.sum() * s for s in settings])

    for size, settings in ((3, (1.0, 2.0, 3.0)), (4, (2.0, 5.0)), (2, (1.0, 2.0, 5.0))):
        totals.probe(f"{size} rows", normal(size, 6, seed=size), settings)
    verdict = totals.check(lambda x, settings: x.sum() * 0.37)
    assert verdict.misconception is None


@pytest.mark.parametrize("e", CODE, ids=lambda e: e.id)
def test_half_a_mistake_is_not_told_with_all_that_is_seen_of_it(e):
    """Right on the first half of the probes, and a kept mistake on the others."""
    _, wrongs = e.known
    for wrong, outcomes in wrongs:
        right, _ = e.known
        names = list(right)
        seen = {n: (right if i % 2 else outcomes)[n] for i, n in enumerate(names)}
        case = e._case(seen)
        full = [w for w, o in wrongs if case.alike(seen, o, *names)]
        ordinary = [w for w, o in wrongs if case.alike(seen, o, *case.ordinary())]
        verdict = e._verdict(case)
        if verdict.seen == wrong.seen and not any(s.wrong.seen == wrong.seen for s in e.symptoms):
            assert wrong in full or wrong in ordinary, verdict


# ---------------------------------------------------------------- differences in words


@pytest.mark.parametrize(
    "factor", [1.0025, 0.9975, 1.004, 0.996, 1.04, 0.97, 1.4, 3.0, 0.2, -1.0025]
)
def test_a_factor_is_told_as_it_is(factor):
    text = difference(factor * np.ones(3), np.ones(3))
    assert "1 times" not in text and "0 %" not in text.split()
    assert ("large" in text) == (abs(factor) > 1) and ("small" in text) == (abs(factor) < 1)
    assert ("wrong sign" in text) == (factor < 0)


def test_a_constant_factor_near_one_is_not_told_as_once(rows):
    verdict = rows.check(lambda x: 1.003 * x.sum(dim=-1))
    assert " 1 times" not in verdict.seen and "1.003 times" in verdict.seen


def test_parts_of_parts_are_told_in_one_sentence():
    ones = np.ones(3)
    inner = (ones, (ones, np.float64(2) * ones))
    wanted = (ones, (ones, ones))
    text = difference(inner, wanted)
    assert text == "has in part number 2 a part number 2 that is 2 times too large"
    assert text.count("that") == 1
    assert difference({"a": (ones, -ones)}, {"a": (ones, ones)}) == (
        "has in entry 'a' a part number 2 that has the wrong sign"
    )
    assert difference({"a": -ones}, {"a": ones}) == "has an entry 'a' that has the wrong sign"
