"""What a tail leaves out, against the exact loss and gradient of every kind of student."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kdlib.losses.sparse import with_tail
from kdlib.teachers.left_out import describe, even_loss_bound, gradient_bound, left_out

V = 30


def distribution(seed, sharpness):
    logits = torch.randn(V, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (sharpness * logits).log_softmax(-1)


def kl(p, q):
    return sum(a * math.log(a / b) for a, b in zip(p.tolist(), q.tolist()) if a)


cases = given(
    seeds=st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)),
    sharpness=st.tuples(st.floats(0.01, 12), st.floats(0.01, 12)),
    k=st.integers(1, V - 1),
)


@cases
@settings(max_examples=150, deadline=None)
def test_the_gradient_is_never_further_off_than_the_bound(seeds, sharpness, k):
    """The bound is of the mass alone, so of two opposite tails as well."""
    log_p = distribution(seeds[0], sharpness[0])
    logits = distribution(seeds[1], sharpness[1]).clone().requires_grad_()
    targets = with_tail(log_p, k)
    (ours,) = torch.autograd.grad(targets.divergence(logits.log_softmax(-1)), logits)
    exact = logits.detach().softmax(-1) - log_p.exp()
    wrong = (ours - exact).abs().sum()
    assert wrong <= gradient_bound(targets.tail) + 1e-9


def test_the_gradient_can_be_as_far_off_as_the_bound():
    """P has its tail on one token, Q on another."""
    p = torch.tensor([0.6, 0.4, 0.0], dtype=torch.float64)
    logits = torch.tensor([0.0, -60.0, 0.0], dtype=torch.float64).requires_grad_()
    targets = with_tail(p.log(), 1)
    (ours,) = torch.autograd.grad(targets.divergence(logits.log_softmax(-1)), logits)
    wrong = (ours - (logits.detach().softmax(-1) - p)).abs().sum()
    assert wrong == pytest.approx(gradient_bound(targets.tail).item(), rel=1e-9) == 0.8


@cases
@settings(max_examples=150, deadline=None)
def test_a_student_that_divides_the_tail_evenly_loses_no_more_than_the_bound(seeds, sharpness, k):
    log_p = distribution(seeds[0], sharpness[0])
    targets = with_tail(log_p, k)
    log_q = distribution(seeds[1], sharpness[1]).clone()
    tail = torch.ones(V, dtype=torch.bool).scatter(0, targets.ids, False)
    log_q[tail] = log_q[tail].logsumexp(-1) - math.log(V - k)
    lost = kl(log_p.exp(), log_q.exp()) - targets.divergence(log_q).item()
    bound = even_loss_bound(targets.tail, targets.weights.min(), V - k).item()
    assert -1e-9 < lost <= bound + 1e-9


def test_the_loss_is_lost_to_the_last_digit_where_the_tail_is_one_token_of_many():
    """P's tail lies on a single token, as likely as the last one kept: the bound is met."""
    p = torch.tensor([0.4, 0.3, 0.3, 0.0, 0.0], dtype=torch.float64)
    bound = even_loss_bound(torch.tensor(0.3), torch.tensor(0.3), 3).item()
    assert bound == pytest.approx(0.3 * math.log(3))
    q = torch.tensor([0.5, 0.2, 0.1, 0.1, 0.1], dtype=torch.float64)
    lost = kl(p, q) - with_tail(p.log(), 2).divergence(q.log()).item()
    assert lost == pytest.approx(bound, rel=1e-6)


def test_nothing_left_out_is_nothing_lost():
    none = torch.zeros(3, dtype=torch.float64)
    assert left_out(none, none + 0.1, 20) == (0, 0, 0, 0)


def test_the_sentences_say_the_numbers_and_which_they_are():
    tail = torch.tensor([0.1, 0.3], dtype=torch.float64)
    found = left_out(tail, torch.tensor([0.05, 0.1], dtype=torch.float64), 26)
    assert found.mass == pytest.approx(0.2) and found.worst_mass == pytest.approx(0.3)
    expected = (0.1 * math.log(26 * 0.05 / 0.1) + 0.3 * math.log(26 * 0.1 / 0.3)) / 2
    assert found.even_loss == pytest.approx(expected)
    said = "\n".join(describe(found, 4, 30))
    for word in ("20 %", "30 %", "0.4 ", f"{expected:.3g} nats", "bounds", "every student"):
        assert word in said
