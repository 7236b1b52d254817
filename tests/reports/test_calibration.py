"""Calibration: the error by hand, its noise against simulated models, its intervals against scipy."""

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from kdlib.reports.calibration import (
    BINS,
    FEWEST_TOKENS,
    calibration,
    calibration_bins,
    calibration_noise,
    expected_calibration_error,
    wilson_interval,
)


def test_expected_calibration_error_by_hand():
    bins = np.array([[10.0, 0.0, 10.0], [2.0, 0.0, 9.0], [4.0, 0.0, 7.0]])
    assert expected_calibration_error(bins) == pytest.approx((2 + 2) / 20)


def test_bins_have_equal_width_and_certainty_is_in_the_last():
    edges = np.arange(BINS) / BINS
    confidence = np.concatenate([edges + 1e-6, [1.0]]).astype(np.float32)
    tokens, total, right = calibration_bins(confidence, np.ones(BINS + 1, dtype=bool))
    assert tokens.tolist() == right.tolist() == [1] * (BINS - 1) + [2]
    assert total == pytest.approx([*edges[:-1], edges[-1] + 1], abs=1e-5)


def looped_error(confidence, correct):
    """The calibration error, bin by bin."""
    error = 0.0
    for number in range(15):
        inside = (confidence >= number / 15) & (confidence < (number + 1) / 15)
        if inside.any():
            error += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    return error


@pytest.mark.parametrize("tokens", [1_000, 5_000])
def test_the_floor_is_what_perfectly_calibrated_models_show(tokens):
    """Each draw is right exactly as often as it expects to be; 400 models give the mean to 1 %."""
    generator = np.random.default_rng(tokens)
    confidence = generator.beta(1.2, 2.5, tokens)
    errors = [looped_error(confidence, generator.random(tokens) < confidence) for _ in range(400)]
    assert calibration_noise(confidence) == pytest.approx(np.mean(errors), rel=0.05)


def test_a_model_that_is_always_sure_and_right_has_no_noise():
    assert calibration_noise(np.ones(100)) == 0


def test_the_interval_of_a_rate_is_wilsons():
    for tokens in (30, 57, 1000):
        right = np.arange(tokens + 1)
        low, high = wilson_interval(right, np.full(tokens + 1, tokens))
        for k in range(0, tokens + 1, 7):
            ends = binomtest(k, tokens).proportion_ci(0.95, method="wilson")
            assert (low[k], high[k]) == pytest.approx((ends.low, ends.high), abs=1e-6)


def test_the_interval_of_a_rate_covers_it_as_often_as_it_says():
    """Exactly, from the binomial: 95 % on average over the rates, and seldom much less."""
    for tokens in (30, 100, 400):
        right = np.arange(tokens + 1)
        low, high = wilson_interval(right, np.full(tokens + 1, tokens))
        rates = np.linspace(0.01, 0.99, 197)
        covered = [binom.pmf(right[(low <= p) & (p <= high)], tokens, p).sum() for p in rates]
        assert 0.94 < np.mean(covered) < 0.965
        assert np.min(covered) > 0.83


def test_the_interval_of_a_rate_stays_a_rate():
    tokens = np.repeat(np.arange(1, 400), 2)
    right = np.where(np.arange(len(tokens)) % 2, tokens, 0)  # none, and all
    low, high = wilson_interval(right, tokens)
    assert low.min() >= 0 and high.max() <= 1 and (low < high).all()
    assert (low <= right / tokens).all() and (right / tokens <= high).all()


def two_bins(few):
    """`few` tokens of confidence 0.1, of which all are right; 100 of 0.9, of which 80 are."""
    confidence = np.repeat([0.1, 0.9], [few, 100])
    correct = np.concatenate([np.ones(few), np.arange(100) < 80]).astype(bool)
    return calibration(confidence, correct)


def test_a_bin_of_few_tokens_is_not_drawn_but_counts():
    found, whole = two_bins(FEWEST_TOKENS - 1), two_bins(FEWEST_TOKENS)
    assert found["calibration"]["confidence"] == pytest.approx([0.9])
    assert found["ece"] == pytest.approx((29 * 0.9 + 100 * 0.1) / 129)
    assert whole["calibration"]["confidence"] == pytest.approx([0.1, 0.9])
    assert whole["calibration"]["accuracy"] == pytest.approx([1, 0.8])


def test_shares_are_of_all_tokens():
    assert two_bins(29)["calibration"]["share"] == pytest.approx([100 / 129])
    assert two_bins(30)["calibration"]["share"] == pytest.approx([30 / 130, 100 / 130])


def test_each_bin_has_its_own_interval():
    curve = two_bins(30)["calibration"]
    ends = binomtest(80, 100).proportion_ci(0.95, method="wilson")
    assert (curve["low"][1], curve["high"][1]) == pytest.approx((ends.low, ends.high), abs=1e-6)
    assert curve["low"][0] < 1 and curve["high"][0] == pytest.approx(1)


def test_a_text_too_short_for_any_bin_still_has_an_error():
    found = calibration(np.full(20, 0.5), np.arange(20) < 10)
    assert found["ece"] == pytest.approx(0) and found["ece_floor"] > 0.05
    assert found["calibration"] == {k: [] for k in "confidence accuracy low high share".split()}
