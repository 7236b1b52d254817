"""What holds for all distributions: bounds, symmetries, identities."""

import math

import oracles
import pytest
import torch
from divergence_cases import INF, every_case
from hypothesis import assume
from hypothesis import strategies as st
from properties import property_test
from torch.testing import assert_close

from kdlib.losses import divergences
from kdlib.losses.divergences import (
    alpha_beta,
    entropy,
    forward_kl,
    hellinger_squared,
    jensen_shannon,
    skew_kl,
    skew_reverse_kl,
    total_variation,
)


@st.composite
def pairs(draw):
    """Two rows of logits over one vocabulary of 1 to 6, zeros included, a token left in each."""
    size = draw(st.integers(1, 6))
    row = st.lists(st.floats(-20, 20) | st.just(-INF), min_size=size, max_size=size)
    drawn = draw(st.tuples(row, row))
    assume(all(max(row) > -INF for row in drawn))
    return torch.tensor(drawn, dtype=torch.float64)


@every_case
@property_test(logits=pairs())
def test_never_negative_and_zero_only_at_equality(case, logits):
    value = case.of_logits(*logits)
    # A sum of a few terms of size 1 is rounded by some 1e-15.
    assert value >= -1e-14
    p, q = logits.softmax(-1)
    gap = (p - q).abs().max()
    # Pinsker's bound is 2 gap^2; beta = 0.9999 weakens it by 1e-4.
    if gap > 1e-3:
        assert value > 1e-4 * gap**2


@every_case
@property_test(logits=pairs(), shift=st.floats(-50, 50), seed=st.integers(0, 9))
def test_shifted_logits_and_permuted_vocabulary_change_nothing(case, logits, shift, seed):
    if case.name == "adaptive_kl":  # which breaks ties by index
        assume(logits[0].unique().numel() == logits[0].numel())
    value = case.of_logits(*logits)
    # A shift by 50 rounds the logits by 7e-15; a log-ratio is at most 40.
    shifted = case.of_logits(logits[0] + shift, logits[1] - shift)
    assert_close(shifted, value, rtol=1e-10, atol=1e-12)
    order = torch.randperm(logits.shape[-1], generator=torch.Generator().manual_seed(seed))
    assert_close(case.of_logits(*logits[:, order]), value, rtol=1e-10, atol=1e-12)


@property_test(logits=pairs())
def test_cross_entropy_is_kl_plus_entropy_with_the_same_gradient(logits):
    log_p, log_q = logits.log_softmax(-1)
    log_q.requires_grad_()
    cross_entropy, kl = divergences.cross_entropy(log_p, log_q), forward_kl(log_p, log_q)
    assert_close(cross_entropy, kl + entropy(log_p))
    (of_cross_entropy,) = torch.autograd.grad(cross_entropy, log_q)
    (of_kl,) = torch.autograd.grad(kl, log_q)
    assert_close(of_cross_entropy, of_kl, rtol=0, atol=0)


@property_test(logits=pairs())
def test_jensen_shannon_is_symmetric_and_bounded(logits):
    log_p, log_q = logits.log_softmax(-1)
    value = jensen_shannon(log_p, log_q)
    assert value == jensen_shannon(log_q, log_p)
    assert value <= math.log(2) + 1e-15
    assert value <= total_variation(log_p, log_q) * math.log(2) + 1e-15  # Lin 1991


@property_test(logits=pairs())
def test_pinsker_and_hellinger_bounds(logits):
    log_p, log_q = logits.log_softmax(-1)
    variation, hellinger = total_variation(log_p, log_q), hellinger_squared(log_p, log_q)
    assert 2 * variation**2 <= forward_kl(log_p, log_q) + 1e-14
    assert 2 * hellinger <= forward_kl(log_p, log_q) + 1e-14
    assert hellinger <= variation + 1e-15
    assert variation**2 <= 2 * hellinger + 1e-15


@property_test(logits=pairs(), alphas=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_skew_falls_with_alpha_and_is_bounded(logits, alphas):
    log_p, log_q = logits.log_softmax(-1)
    low, high = sorted(alphas)
    for skew in (skew_kl, skew_reverse_kl):
        assert skew(log_p, log_q, high) <= skew(log_p, log_q, low) + 1e-14
        if low > 0:
            assert skew(log_p, log_q, low) <= -math.log(low) + 1e-14
    assert skew_reverse_kl(log_p, log_q, low) == skew_kl(log_q, log_p, low)


@property_test(logits=pairs(), alpha=st.floats(-2, 3), beta=st.floats(-2, 3))
def test_alpha_beta_anywhere(logits, alpha, beta):
    assume(alpha + beta >= 0)
    # Nearer to a limit 50 digits are too few; the test of continuity is there.
    assume(all(x == 0 or abs(x) > 1e-15 for x in (alpha, beta, alpha + beta)))
    log_p, log_q = logits.log_softmax(-1)
    expected = oracles.alpha_beta(log_p, log_q, alpha=alpha, beta=beta)
    got = alpha_beta(log_p, log_q, alpha, beta).item()
    assert got == pytest.approx(expected, rel=1e-9, abs=1e-14)
