"""The fused gradient of targets with a tail, however little of the student's mass the tail has."""

import pytest
import torch

from kdlib.losses.fused.inputs import Head
from kdlib.losses.fused.loss import fused_distillation_loss
from kdlib.losses.objectives import Objective
from kdlib.losses.sparse import SparseTargets, with_tail

V, KEPT = 11, [2, 7, 9]


def student_logits(gap):
    """One row per seed: the kept tokens lie `gap` nats above the others."""
    logits = torch.randn(4, V, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    logits[:, KEPT] += gap
    return logits.float().double()  # what float32 can hold, exactly


def targets(dtype):
    logits = torch.randn(4, V, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    logits[:, KEPT] += 3
    return with_tail(logits.log_softmax(-1), len(KEPT)).to(dtype)


def by_hand(logits, kept, temperature=1.0):
    """Loss and gradient in float64: the teacher's tail, shared out as the student shares its own."""
    logits = logits / temperature
    others = torch.ones(V, dtype=torch.bool)
    others[KEPT] = False
    log_r = logits[:, others].logsumexp(-1) - logits.logsumexp(-1)
    p = torch.zeros_like(logits).scatter_(-1, kept.ids, kept.weights)
    p[:, others] = kept.tail[:, None] * logits[:, others].softmax(-1)
    loss = kept.constant - kept.tail * log_r
    for slot in range(len(KEPT)):
        token = kept.ids[:, slot : slot + 1]
        log_q = logits.gather(-1, token)[:, 0] - logits.logsumexp(-1)
        loss = loss - kept.weights[:, slot] * log_q
    return loss.sum(), (logits.softmax(-1) - p) * temperature


@pytest.mark.parametrize("temperature", [1.0, 2.0])
@pytest.mark.parametrize("gap", [0.0, 3.0, 10.0, 20.0, 60.0, 95.0, 120.0, 300.0])
def test_float32_has_its_digits_at_any_tail(gap, temperature):
    """The student's tail has from 0.7 of the mass down to e^-300, which float32 does not know."""
    logits = student_logits(gap)
    loss, gradient = by_hand(logits, targets(torch.float64), temperature)
    hidden = logits.float().requires_grad_()  # the head is the identity: logits = hidden states
    objective = Objective.from_alpha(1.0, temperature=temperature)
    ours = fused_distillation_loss(
        hidden, Head(torch.eye(V)), targets(torch.float32), objective=objective, chunk=3
    )
    (found,) = torch.autograd.grad(ours.total, hidden)
    scale = temperature**2
    torch.testing.assert_close(ours.total.double(), scale * loss, rtol=2e-6, atol=1e-5)
    torch.testing.assert_close(found.double(), gradient, rtol=1e-5, atol=1e-6)


def test_the_labels_are_added_to_it():
    logits = student_logits(40.0)
    labels = torch.tensor([0, 2, 5, 7])
    _, gradient = by_hand(logits, targets(torch.float64))
    expected = 0.3 * gradient + 0.7 * (logits.softmax(-1) - torch.eye(V)[labels])
    hidden = logits.float().requires_grad_()
    ours = fused_distillation_loss(
        hidden, Head(torch.eye(V)), targets(torch.float32), labels,
        objective=Objective.from_alpha(0.3),
    )  # fmt: skip
    (found,) = torch.autograd.grad(ours.total, hidden)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("tail", [0.0, 0.25])
def test_a_student_without_a_tail(tail):
    """All other tokens excluded by the head's bias: no distance where the teacher has no tail
    either, else an infinite one, which passes no gradient of its own."""
    ids = torch.tensor([KEPT])
    weights = torch.full((1, 3), (1 - tail) / 3)
    kept = SparseTargets(ids, weights, torch.zeros(1), torch.tensor([tail]))
    bias = torch.full((V,), -torch.inf)
    bias[KEPT] = 0
    hidden = torch.zeros(1, V, requires_grad=True)
    ours = fused_distillation_loss(
        hidden, Head(torch.eye(V), bias), kept, objective=Objective.from_alpha(1.0)
    )
    assert ours.total.isfinite() == (tail == 0)
    (found,) = torch.autograd.grad(ours.total, hidden)
    torch.testing.assert_close(found, torch.zeros(1, V), rtol=0, atol=1e-7)
