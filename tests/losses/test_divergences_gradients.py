"""Gradients of the divergences against finite differences and closed forms."""

import math

import oracles
import pytest
import torch
from divergence_cases import CASES, Case, every_case, random_logs
from torch.autograd import gradcheck, gradgradcheck
from torch.testing import assert_close

from kdlib.losses.divergences import adaptive_kl, forward_kl, reverse_kl


@pytest.mark.parametrize("case", [c for c in CASES if c.name != "adaptive_kl"], ids=str)
def test_gradients_are_those_of_finite_differences(case):
    inputs = [x.requires_grad_() for x in random_logs(2, 2, 4, seed=12)]
    assert gradcheck(case.of_logits, inputs)
    # And in the log-probabilities: softmax would hide a multiple of p or of q.
    assert gradcheck(case, inputs)


THROUGH_FORWARD_KL = {"forward_kl", "reverse_kl", "symmetric_kl", "adaptive_kl"}


@pytest.mark.parametrize("case", [c for c in CASES if c.name not in THROUGH_FORWARD_KL], ids=str)
def test_second_derivatives_are_those_of_finite_differences(case):
    x, y = random_logs(2, 2, 4, seed=12)
    assert gradgradcheck(case.of_logits, (x.requires_grad_(), y.requires_grad_()))


def test_forward_kl_has_second_derivatives_in_the_student():
    x, y = random_logs(2, 2, 4, seed=12)
    kl = Case("forward_kl", {})
    assert gradgradcheck(lambda y: kl.of_logits(x, y), y.requires_grad_())
    assert gradgradcheck(lambda y: kl.of_logits(x, y).square(), y)


@pytest.mark.parametrize("case", [c for c in CASES if c.name in THROUGH_FORWARD_KL], ids=str)
def test_a_second_derivative_that_is_not_there_is_refused(case):
    # A KL's gradient in its first argument is made of numbers that autograd does not follow:
    # differentiated again, it would be silently wrong.
    x, y = random_logs(2, 4, seed=12)
    first = x.requires_grad_() if case.name == "forward_kl" else y.requires_grad_()
    with pytest.raises(
        RuntimeError, match=r"^a KL has one derivative in its first .*cross_entropy\(log_p"
    ):
        torch.autograd.grad(case.of_logits(x, y), first, create_graph=True)


def test_gradient_of_forward_kl_is_student_minus_teacher():
    x, y = random_logs(3, 5, seed=21), random_logs(3, 5, seed=22).requires_grad_()
    Case("forward_kl", {}).of_logits(x, y).sum().backward()
    assert_close(y.grad, y.detach().softmax(-1) - x.softmax(-1))


@every_case
def test_gradient_vanishes_where_student_equals_teacher(case):
    x = random_logs(6, seed=18)
    y = x.clone().requires_grad_()
    case.of_logits(x, y).backward()
    assert y.grad.abs().max() < 1e-15


def test_adaptive_kl_weights_pass_no_gradient():
    log_p, log_q = random_logs(5, seed=14), random_logs(5, seed=15).requires_grad_()
    w = oracles.adaptive_kl_weight(log_p, log_q.detach())
    assert 0.1 < w < 0.9
    fixed = w * forward_kl(log_p, log_q) + (1 - w) * reverse_kl(log_p, log_q)
    (expected,) = torch.autograd.grad(fixed, log_q)
    (got,) = torch.autograd.grad(adaptive_kl(log_p, log_q), log_q)
    assert_close(got, expected)


def test_the_slope_of_forward_kl_in_the_teachers_logs():
    """p (log p - log q + 1), by hand: behind a log-softmax the 1 would cancel and not be seen."""
    p, q = [0.7, 0.2, 0.1], [0.5, 0.2, 0.3]
    log_p = torch.tensor(p, dtype=torch.float64).log().requires_grad_()
    forward_kl(log_p, torch.tensor(q, dtype=torch.float64).log()).backward()
    expected = [a * (math.log(a / b) + 1) for a, b in zip(p, q)]
    assert_close(log_p.grad, torch.tensor(expected, dtype=torch.float64))
