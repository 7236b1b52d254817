"""Is a model right as often as it expects to be? Reliability, its noise, and their summary."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

BINS = 15
FEWEST_TOKENS = 30  # of a bin that is drawn: the rate of a handful of tokens says nothing


def calibration(confidence: np.ndarray, correct: np.ndarray) -> dict[str, Any]:
    """The calibration entries of a report.

    Args:
        confidence: (T,) probability of the likeliest token, in [0, 1].
        correct: (T,) bool, whether it was the text's.

    Returns:
        "ece", the expected calibration error; "ece_floor", what it would be on average for a
        perfectly calibrated model with the same confidences; and "calibration", lists over the
        bins with at least ``FEWEST_TOKENS`` tokens: mean confidence, accuracy with the ends of its
        95 % interval, and share of the tokens.
    """
    bins = calibration_bins(confidence, correct)
    tokens, total, right = bins[:, bins[0] >= FEWEST_TOKENS]
    low, high = wilson_interval(right, tokens)
    curve = {
        "confidence": total / tokens,
        "accuracy": right / tokens,
        "low": low,
        "high": high,
        "share": tokens / len(confidence),
    }
    return {
        "ece": expected_calibration_error(bins),
        "ece_floor": calibration_noise(confidence),
        "calibration": {name: values.tolist() for name, values in curve.items()},
    }


def calibration_bins(confidence: np.ndarray, correct: np.ndarray) -> np.ndarray:
    """Tokens, summed confidence and correct answers by confidence: (T,), (T,) -> (3, BINS)."""
    index = _bin_of(confidence)
    rows = (None, confidence.astype(np.float64), correct.astype(np.float64))
    return np.stack([np.bincount(index, weights=row, minlength=BINS) for row in rows])


def _bin_of(confidence: np.ndarray) -> np.ndarray:
    """The number of each token's bin; the bins have equal width."""
    index: np.ndarray = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return index


def expected_calibration_error(bins: np.ndarray) -> float:
    r"""Expected calibration error: the mean distance of confidence and accuracy over the bins.

    .. math:: \mathrm{ECE} = \sum_b \frac{n_b}{N} \left| \mathrm{acc}_b - \mathrm{conf}_b \right|

    Args:
        bins: (3, B) tokens, summed confidence and correct answers of each bin.

    Returns:
        A share in [0, 1].

    Source: Guo et al. 2017 (equation 3).
    """
    tokens, confidence, correct = bins
    return float(np.abs(correct - confidence).sum() / tokens.sum())


def calibration_noise(confidence: np.ndarray) -> float:
    r"""The calibration error that chance alone gives a perfectly calibrated model, on average.

    The correct answers in a bin are then a sum of independent draws, nearly normal, whose mean
    distance from its expectation is :math:`\sqrt{2/\pi}` standard deviations:

    .. math:: \frac{1}{N} \sum_b \sqrt{\frac{2}{\pi} \sum_{t \in b} p_t (1 - p_t)}

    Tokens of one text are not independent, so the true floor is somewhat higher.

    Args:
        confidence: (T,) probability of the likeliest token.
    """
    p = confidence.astype(np.float64)
    variance = np.bincount(_bin_of(confidence), weights=p * (1 - p), minlength=BINS)
    return float(np.sqrt(2 / math.pi * variance).sum() / len(p))


def wilson_interval(right: np.ndarray, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ends of the 95 % interval of a rate, which stay within [0, 1].

    Args:
        right: (B,) how often it was right.
        tokens: (B,) of how many.

    Source: Wilson 1927.
    """
    z2 = 1.959964**2
    middle = (right + z2 / 2) / (tokens + z2)
    variance = right * (tokens - right) / tokens + z2 / 4
    half = np.sqrt(z2 * variance) / (tokens + z2)
    rate = right / tokens
    # Rounding would put a rate of 1 outside its interval, or the interval's end above 1.
    return np.clip(middle - half, 0, rate), np.clip(middle + half, rate, 1)
