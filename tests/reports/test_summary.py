"""From the scores of tokens to a report's numbers: against the formulas, and what is left out."""

import math

import numpy as np
import pytest
from score_cases import token_scores

from kdlib.reports.summary import summarise_losses, summarise_scores

NLL = np.array([0.5, 1.5, 4.0], dtype=np.float32)
AGREEMENT = {"forward_kl", "reverse_kl", "top1_agreement", "top5_agreement"}


def test_losses_by_hand():
    assert summarise_losses(NLL, tokens=3, text_bytes=12) == pytest.approx(
        {
            "cross_entropy": 2.0,
            "perplexity": math.exp(2),
            "bits_per_byte": 6 / math.log(2) / 12,
        }
    )


def test_a_teachers_losses_are_counted_in_the_students_tokens():
    """It read three tokens of its own, and the student four of the same text."""
    summary = summarise_losses(NLL, tokens=4, text_bytes=12)
    assert summary["cross_entropy"] == pytest.approx(1.5)
    assert summary["perplexity"] == pytest.approx(math.exp(1.5))
    assert summary["bits_per_byte"] == pytest.approx(6 / math.log(2) / 12)


def test_many_losses_add_up_in_float64():
    nll = np.full(3_000_000, 0.1, dtype=np.float32)
    nll[0] = 1e6  # after which a sum in float32 would swallow much of the rest
    exact = (1e6 + (len(nll) - 1) * float(np.float32(0.1))) / len(nll)
    assert summarise_losses(nll, len(nll), 1)["cross_entropy"] == pytest.approx(exact, rel=1e-9)


def test_agreement_is_a_mean_over_tokens():
    scores = token_scores(NLL)._replace(
        forward_kl=np.array([1, 2, 6], dtype=np.float32),
        reverse_kl=np.array([0, 0, 3], dtype=np.float32),
        top1=np.array([True, False, False]),
        shared=np.array([5, 0, 3], dtype=np.uint8),
        correct=np.array([True, True, True]),
    )
    summary = summarise_scores(scores, 3, 12, is_teacher=False)
    assert {key: summary[key] for key in AGREEMENT} == pytest.approx(
        {
            "forward_kl": 3,
            "reverse_kl": 1,
            "top1_agreement": 1 / 3,
            "top5_agreement": 8 / 15,
        }
    )


def test_a_hundred_agreements_are_not_lost_in_a_byte():
    """`shared` is kept in 8 bits, whose sum would overflow after 51 tokens."""
    scores = token_scores(np.ones(100))._replace(shared=np.full(100, 5, dtype=np.uint8))
    assert summarise_scores(scores, 100, 1, is_teacher=False)["top5_agreement"] == 1


def test_a_teacher_is_not_compared_with_itself():
    of_teacher, of_student = (
        summarise_scores(token_scores(NLL), 3, 12, is_teacher=each) for each in (True, False)
    )
    assert of_student.keys() - of_teacher.keys() == AGREEMENT


def test_calibration_is_that_of_the_confidences():
    scores = token_scores(np.ones(100))._replace(
        confidence=np.full(100, 0.9, dtype=np.float32), correct=np.arange(100) < 70
    )
    summary = summarise_scores(scores, 100, 1, is_teacher=True)
    assert summary["ece"] == pytest.approx(0.2)
    assert summary["calibration"]["accuracy"] == pytest.approx([0.7])
