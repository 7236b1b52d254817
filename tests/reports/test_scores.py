"""Every number of a report against a slow computation of its own."""

import math

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from scipy.special import log_softmax

from kdlib.data.blocks import Blocks
from kdlib.models.from_scratch import ModelSize, new_model
from kdlib.reports.intervals import advantage, gap_closed
from kdlib.reports.scores import (
    BlockSums,
    expected_calibration_error,
    score_models,
    summarise_scores,
)

VOCABULARY = 30


@pytest.fixture(scope="module")
def scored():
    """Two random models on blocks of which one is padded: sums, and the logits behind them."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, VOCABULARY, (11, 9), generator=generator)
    mask = torch.ones_like(ids)
    mask[-1, 4:] = 0
    blocks = Blocks(ids, mask, bytes=321)
    pair = {
        name: new_model(ModelSize(16, 1, 2), VOCABULARY, 64, seed)
        for name, seed in (("teacher", 0), ("student", 1))
    }
    for model in pair.values():  # far from uniform, so that the quantities differ
        model.lm_head.weight.data *= 20
    sums = score_models(pair, "teacher", blocks, Accelerator(cpu=True))
    with torch.no_grad():
        logs = {
            name: log_softmax(model(input_ids=ids).logits.double().numpy(), -1)[:, :-1]
            for name, model in pair.items()
        }
    counted = mask[:, 1:].bool().numpy()
    return sums, logs["teacher"][counted], logs["student"][counted], ids[:, 1:].numpy()[counted]


def test_summary_matches_a_slow_computation(scored):
    sums, log_p, log_q, labels = scored
    summary = summarise_scores(sums["student"], 321, is_teacher=False)
    nll = [-row[label] for row, label in zip(log_q, labels)]
    p, q = np.exp(log_p), np.exp(log_q)
    top5 = [len(set(np.argsort(-a)[:5]) & set(np.argsort(-b)[:5])) / 5 for a, b in zip(p, q)]
    expected = {
        "cross_entropy": np.mean(nll),
        "perplexity": math.exp(np.mean(nll)),
        "bits_per_byte": np.sum(nll) / math.log(2) / 321,
        "forward_kl": np.mean((p * (log_p - log_q)).sum(-1)),
        "reverse_kl": np.mean((q * (log_q - log_p)).sum(-1)),
        "top1_agreement": np.mean(p.argmax(-1) == q.argmax(-1)),
        "top5_agreement": np.mean(top5),
    }
    for name, value in expected.items():
        assert summary[name] == pytest.approx(value, rel=1e-5), name


def test_calibration_error_matches_a_slow_computation(scored):
    sums, _, log_q, labels = scored
    confidence, correct = np.exp(log_q.max(-1)), log_q.argmax(-1) == labels
    error = 0.0
    for bin in range(15):
        inside = (confidence >= bin / 15) & (confidence < (bin + 1) / 15)
        if inside.any():
            error += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    assert summarise_scores(sums["student"], 1, False)["ece"] == pytest.approx(error, rel=1e-4)


def test_teacher_is_not_compared_with_itself(scored):
    assert "forward_kl" not in summarise_scores(scored[0]["teacher"], 1, is_teacher=True)
    assert np.abs(scored[0]["teacher"].forward_kl).max() == 0


def test_expected_calibration_error_by_hand():
    bins = np.array([[10.0, 0.0, 10.0], [2.0, 0.0, 9.0], [4.0, 0.0, 7.0]])
    assert expected_calibration_error(bins) == pytest.approx((2 + 2) / 20)


def fake(nll, tokens=None) -> BlockSums:
    nll = np.asarray(nll, dtype=float)
    tokens = np.full(len(nll), 100.0) if tokens is None else np.asarray(tokens, dtype=float)
    zero = np.zeros(len(nll))
    return BlockSums(tokens, nll, zero, zero, zero, zero, np.zeros((len(nll), 3, 15)), zero)


def test_gap_closed_is_0_at_the_control_and_1_at_the_teacher():
    noise = np.random.default_rng(0).normal(0, 5, 200)
    teacher, control = fake(300 + noise), fake(400 + noise)
    for share in (0.0, 0.25, 1.0):
        gap = gap_closed(teacher, fake(400 - 100 * share + noise), control)
        assert gap["value"] == pytest.approx(share)
        assert gap["low"] - 1e-9 <= share <= gap["high"] + 1e-9


def test_no_gap_without_a_better_teacher():
    assert gap_closed(fake([400.0] * 5), fake([380.0] * 5), fake([400.0] * 5)) is None


def test_advantage_weighs_blocks_by_their_tokens():
    student, control = fake([100.0, 10.0], [100, 1]), fake([200.0, 20.0], [100, 1])
    assert advantage(student, control)["value"] == pytest.approx(110 / 101)


def test_what_makes_blocks_hard_for_both_cancels_in_the_interval():
    hard = np.random.default_rng(1).normal(0, 100, 300)
    paired = advantage(fake(300 + hard), fake(310 + hard))
    assert paired["low"] == pytest.approx(0.1) == paired["high"]


def test_interval_covers_the_truth_about_as_often_as_it_says():
    """95 % intervals of a mean of 60 draws: of 200, binomially, 178 to 200 cover (p < 1e-3 else)."""
    generator = np.random.default_rng(2)
    covered = 0
    for _ in range(200):
        interval = advantage(fake(np.zeros(60)), fake(generator.normal(50, 30, 60)))
        covered += interval["low"] <= 0.5 <= interval["high"]
    assert covered >= 178
