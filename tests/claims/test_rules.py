"""Intervals over trainings, and what a rule makes of where they lie."""

import numpy as np
import pytest
from scipy import stats

from kdlib.claims.claim import together
from kdlib.claims.rules import Above, Lead, Level, interval


@pytest.mark.parametrize("trainings", [2, 3, 5, 10])
def test_the_interval_is_student_s(trainings):
    values = np.random.default_rng(trainings).normal(1, 2, trainings)
    low, high = stats.t.interval(0.95, trainings - 1, values.mean(), stats.sem(values))
    found = interval(values.tolist())
    assert found == pytest.approx((values.mean(), low, high), rel=1e-7)


def test_one_training_has_no_interval():
    with pytest.raises(ValueError, match="1 training: an interval needs at least 2"):
        interval([0.5])


def test_it_covers_the_truth_as_often_as_it_says():
    draws = np.random.default_rng(0).normal(0.3, 1, (4000, 5))
    found = [interval(row.tolist()) for row in draws]
    covered = np.mean([each.low < 0.3 < each.high for each in found])
    assert 0.94 < covered < 0.96


def numbers(one, other):
    """Two arms and a measure."""
    return {"one": {"x": one}, "other": {"x": other}}


CLOSE = [1.00, 1.01, 0.99, 1.02]


@pytest.mark.parametrize(
    ("rule", "one", "other", "verdict"),
    [
        (Lead("x", "one", "other"), CLOSE, [2.0, 2.1, 2.0, 2.2], "reproduced"),
        (Lead("x", "one", "other", by=0.9), CLOSE, [2.0, 2.1, 2.0, 2.2], "reproduced"),
        (Lead("x", "one", "other", by=1.1), CLOSE, [2.0, 2.1, 2.0, 2.2], "undecided"),
        (Lead("x", "other", "one"), CLOSE, [2.0, 2.1, 2.0, 2.2], "opposite"),
        (Lead("x", "other", "one", higher=True), CLOSE, [2.0, 2.1, 2.0, 2.2], "reproduced"),
        (Lead("x", "one", "other"), CLOSE, [0.9, 1.2, 0.8, 1.3], "undecided"),
        (Level("x", "one", "other", 0.1), CLOSE, [1.0, 1.0, 1.0, 1.0], "reproduced"),
        (Level("x", "one", "other", 0.1), CLOSE, [2.0, 2.1, 2.0, 2.2], "opposite"),
        (Level("x", "one", "other", 0.1), CLOSE, [0.9, 1.2, 0.8, 1.3], "undecided"),
        (Above("x", "one"), CLOSE, CLOSE, "reproduced"),
        (Above("x", "one", 1.0), CLOSE, CLOSE, "undecided"),
        (Above("x", "one"), [-1.0, -1.1, -0.9], CLOSE, "opposite"),
    ],
)
def test_where_the_interval_lies_decides(rule, one, other, verdict):
    assert rule.judge(numbers(one, other)) == verdict


def test_trainings_are_compared_seed_by_seed():
    """Seeds that differ by far more than the arms do hide nothing."""
    other = [1.0, 5.0, 9.0]
    assert Lead("x", "one", "other").judge(
        numbers([x - 0.1 for x in other], other)
    ) == "reproduced"  # fmt: skip


def test_a_missing_training_is_an_error():
    with pytest.raises(ValueError, match="zip"):
        Lead("x", "one", "other").interval(numbers([1.0, 2.0], [1.0, 2.0, 3.0]))


def test_verdicts_that_disagree_are_undecided():
    assert together(["reproduced", "reproduced"]) == "reproduced"
    assert together(["opposite", "opposite"]) == "opposite"
    assert together(["reproduced", "opposite"]) == "undecided"
    assert together(["reproduced", "undecided"]) == "undecided"
