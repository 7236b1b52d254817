"""What objectives.py says in closed form, against autograd and by hand."""

import pytest
import torch
from hypothesis import strategies as st
from objective_cases import make_batch
from properties import property_test
from torch.testing import assert_close

from kdlib.losses.closed_forms import best_student, combined_logit_gradient, logit_matching
from kdlib.losses.distillation import distillation_loss, teacher_divergence
from kdlib.losses.objectives import Objective


def distributions(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).mul(2).softmax(-1)


def soft_label_loss(objective, label, teacher_logits, student_logits):
    """E over labels drawn from `label` of the loss: one position per label, weighed by it."""
    vocab = len(label)
    return distillation_loss(
        student_logits.expand(vocab, vocab),
        teacher_logits.expand(vocab, vocab),
        torch.arange(vocab),
        token_weights=label,
        objective=objective,
    ).total


@property_test(lambda_=st.floats(0.01, 20), hard=st.booleans(), seed=st.integers(0, 999))
def test_best_student_is_the_minimiser(lambda_, hard, seed):
    label, p, noise = distributions(3, 5, seed=seed)
    if hard:
        label = torch.eye(5, dtype=torch.float64)[seed % 5]
    best = best_student(label, p, lambda_)
    assert best.sum().item() == pytest.approx(1, abs=1e-12)
    objective = Objective.from_lambda(lambda_)
    student = best.log().requires_grad_()
    least = soft_label_loss(objective, label, p.log(), student)
    (gradient,) = torch.autograd.grad(least, student)
    assert gradient.abs().max() < 1e-13 * (1 + lambda_)
    for size in (-1.0, 0.01, 1.0):
        other = student.detach() + size * (noise - noise.mean())
        assert soft_label_loss(objective, label, p.log(), other) > least


def test_best_student_by_hand_and_at_its_ends():
    label, p = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.2, 0.5, 0.3])
    assert_close(best_student(label, p, 0), label)
    assert_close(best_student(label, p, 1), torch.tensor([0.6, 0.25, 0.15]))
    assert_close(best_student(label, p, 1e9), p)


@property_test(
    lambda_=st.floats(0, 5),
    temperature=st.floats(0.3, 8),
    scale=st.booleans(),
    seed=st.integers(0, 999),
)
def test_combined_logit_gradient_is_that_of_autograd(lambda_, temperature, scale, seed):
    label, p, q = distributions(3, 6, seed=seed)
    objective = Objective.from_lambda(lambda_, temperature=temperature, scale_by_t_squared=scale)
    student = q.log().requires_grad_()
    loss = soft_label_loss(objective, label, p.log(), student)
    (expected,) = torch.autograd.grad(loss, student)
    found = combined_logit_gradient(label, p.log(), q.log(), objective)
    assert_close(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_a_high_temperature_matches_logits(seed):
    student, teacher, _ = make_batch(seed=seed)
    student = student + 5  # the limit does not need logits of mean zero
    student.requires_grad_()
    limit = logit_matching(teacher, student)
    assert limit.shape == (3, 4)
    (limit_gradient,) = torch.autograd.grad(limit.sum(), student)
    errors = []
    for temperature in (1e2, 1e3):
        value = teacher_divergence(teacher, student, Objective(temperature=temperature))
        (gradient,) = torch.autograd.grad(value.sum(), student)
        errors.append([(value - limit).abs().max(), (gradient - limit_gradient).abs().max()])
        assert_close(value, limit, rtol=5 / temperature, atol=0)
    # The next term of the series is 1/T smaller.
    assert [(a / b).item() for a, b in zip(*errors)] == pytest.approx([10, 10], rel=0.1)


def test_logit_matching_by_hand():
    # Differences 1, 1, 4: mean 2, squares 1 + 1 + 4 over 2 * 3.
    found = logit_matching(torch.tensor([1.0, 2.0, 4.0]), torch.tensor([0.0, 1.0, 0.0]))
    assert found.item() == pytest.approx(1.0)
