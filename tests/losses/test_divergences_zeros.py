"""Divergences where probabilities are 0: values, gradients, and what is infinite."""

import math

import oracles
import pytest
import torch
from divergence_cases import INF, Case, every_case, logs, random_logs
from torch.autograd import gradcheck
from torch.testing import assert_close

from kdlib.losses.divergences import adaptive_kl, cross_entropy, entropy, forward_kl, reverse_kl

ZEROS = [  # one pair for each pattern of zeros
    ([0.5, 0.5, 0.0], [0.2, 0.8, 0.0]),  # a slot of neither
    ([0.7, 0.2, 0.1], [0.6, 0.4, 0.0]),  # Q = 0 < P
    ([0.7, 0.3, 0.0], [0.5, 0.4, 0.1]),  # P = 0 < Q
    ([0.0, 0.7, 0.3, 0.0], [0.6, 0.0, 0.4, 0.0]),  # all of it
    ([1.0, 0.0], [0.0, 1.0]),  # nothing in common
    ([1.0, 0.0, 0.0], [1.0, 0.0, 0.0]),  # one-hot, equal
]
every_zero = pytest.mark.parametrize("zeros", ZEROS, ids=str)


# ---------------------------------------------------------------- values


@every_zero
@every_case
def test_values_at_zeros(case, zeros):
    log_p, log_q = logs(*zeros[0]), logs(*zeros[1])
    assert case(log_p, log_q).item() == pytest.approx(case.reference(log_p, log_q), rel=1e-12)


@every_zero
def test_entropy_and_cross_entropy_at_zeros(zeros):
    log_p, log_q = logs(*zeros[0]), logs(*zeros[1])
    assert entropy(log_p).item() == pytest.approx(oracles.entropy(log_p), rel=1e-12)
    expected = oracles.cross_entropy(log_p, log_q)
    assert cross_entropy(log_p, log_q).item() == pytest.approx(expected, rel=1e-12)


def test_adaptive_kl_drops_a_kl_of_weight_zero_even_if_infinite():
    log_p = logs(0.6, 0.3, 0.1)
    equal_in_the_head = logs(0.6, 0.4, 0.0)
    assert forward_kl(log_p, equal_in_the_head) == INF
    assert_close(adaptive_kl(log_p, equal_in_the_head), reverse_kl(log_p, equal_in_the_head))
    log_p = logs(0.6, 0.4, 0.0)
    equal_in_the_tail = logs(0.5, 0.5, 0.0)
    equal_in_the_tail[2] = -1000  # a gap that underflows
    assert reverse_kl(log_p, equal_in_the_tail) == INF
    forward = forward_kl(log_p, equal_in_the_tail)
    assert_close(adaptive_kl(log_p, equal_in_the_tail, 0.8), forward)


@every_case
def test_nan_is_not_hidden(case):
    log_p, log_q = logs(0.5, 0.5), torch.tensor([math.nan, -1.0])
    assert case(log_p, log_q).isnan()
    assert case(log_q, log_p).isnan()


# ---------------------------------------------------------------- gradients


@pytest.mark.parametrize(
    "case",
    [
        Case("jensen_shannon", {}),
        Case("generalized_jsd", {"beta": 0.3}),
        Case("skew_kl", {"alpha": 0.1}),
        Case("skew_reverse_kl", {"alpha": 0.1}),
        Case("alpha_beta", {"alpha": 0.4, "beta": 0.3}),
        Case("total_variation", {}),
        Case("hellinger_squared", {}),
    ],
    ids=str,
)
def test_gradients_of_what_stays_finite_where_slots_are_closed(case):
    # Slots 0, 4 and 5 are open to both, 1 to P alone, 2 to Q alone, 3 to none.
    closed_p = torch.tensor([0, 0, -INF, -INF, 0, 0])
    closed_q = torch.tensor([0, -INF, 0, -INF, 0, 0])
    x, y = random_logs(2, 6, seed=16)
    assert gradcheck(
        lambda x, y: case.of_logits(x + closed_p, y + closed_q),
        (x.requires_grad_(), y.requires_grad_()),
    )


@every_zero
@every_case
def test_every_gradient_is_finite_at_zeros(case, zeros):
    for function in (case, case.of_logits):
        x, y = logs(*zeros[0]).requires_grad_(), logs(*zeros[1]).requires_grad_()
        function(x, y).backward()
        assert x.grad.isfinite().all()
        assert y.grad.isfinite().all()


def test_an_infinite_slot_passes_no_gradient():
    log_p, log_q = logs(0.5, 0.3, 0.2), logs(0.4, 0.6, 0.0).requires_grad_()
    forward_kl(log_p, log_q).backward()
    assert_close(log_q.grad, torch.tensor([-0.5, -0.3, 0.0], dtype=torch.float64))
