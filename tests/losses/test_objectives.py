"""Objectives against float64 NumPy, and all that must not change them."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from objective_cases import (
    FORMULAS,
    every_divergence,
    make_batch,
    make_mask,
    named,
    reference,
    run,
    some_objective,
)
from properties import property_test
from torch.testing import assert_close

from kdlib.losses.alignment import next_token
from kdlib.losses.distillation import distillation_loss, teacher_divergence
from kdlib.losses.divergences import DIVERGENCES
from kdlib.losses.objectives import Objective, alpha_of_lambda, lambda_of_alpha

# ---------------------------------------------------------------- values and gradients


def test_every_divergence_has_a_reference():
    assert set(FORMULAS) == set(DIVERGENCES)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("weighing", ["lambda", "alpha"])
@pytest.mark.parametrize(("temperature", "t_squared"), [(1.0, True), (3.0, True), (3.0, False)])
@every_divergence
def test_values_and_gradients(name, temperature, t_squared, weighing, masked):
    how = named(name, temperature=temperature, scale_by_t_squared=t_squared)
    if weighing == "lambda":
        objective, label_weight, teacher_weight = Objective.from_lambda(0.7, **how), 1, 0.7
    else:
        objective, label_weight, teacher_weight = Objective.from_alpha(0.2, **how), 0.8, 0.2
    batch, mask = make_batch(), make_mask() if masked else None
    weights = mask.numpy().astype(float) if masked else np.ones((3, 4))
    ce, kd, gradient = reference(
        batch, name, temperature, label_weight, teacher_weight, t_squared, weights
    )
    total, count, found = run(objective, *batch, mask)
    assert total.item() == pytest.approx(label_weight * ce + teacher_weight * kd, rel=1e-12)
    assert count == weights.sum()
    np.testing.assert_allclose(found, gradient, rtol=1e-9, atol=1e-13)

    loss = distillation_loss(*batch, mask, objective=objective)
    assert loss.parts["cross_entropy"].item() == pytest.approx(ce, rel=1e-12)
    assert loss.parts["distillation"].item() == pytest.approx(kd, rel=1e-12)
    assert loss.mean.item() == pytest.approx(total.item() / weights.sum(), rel=1e-12)


@every_divergence
def test_the_divergence_of_each_position(name):
    student, teacher, _ = make_batch()
    objective = Objective(**named(name, temperature=3.0))
    found = teacher_divergence(teacher, student, objective)
    assert found.shape == (3, 4)
    for here in itertools.product(range(3), range(4)):
        alone = run(objective, student[here][None], teacher[here][None])[0]
        assert_close(found[here], alone)


@every_divergence
def test_a_perfect_student_has_no_distance_left(name):
    student = make_batch().student
    objective = Objective(**named(name, temperature=3.0))
    total, _, gradient = run(objective, student, student)
    assert total == 0
    assert gradient.abs().max() < 1e-14
    assert run(objective, student.float(), student.float())[0] == 0


def test_only_the_weighed_terms_enter_but_all_are_reported():
    student, teacher, labels = make_batch()
    only_labels = Objective.from_lambda(0.0)
    teacher[0, 0, 0] = -math.inf  # reverse KL would be infinite: 0 times it must not be NaN
    objective = Objective(label_weight=1.0, teacher_weight=0.0, divergence="reverse_kl")
    loss = distillation_loss(student, teacher, labels, objective=objective)
    assert loss.total == distillation_loss(student, labels=labels, objective=only_labels).total
    assert loss.parts["distillation"] == math.inf
    assert set(distillation_loss(student, None, labels, objective=only_labels).parts) == {
        "cross_entropy"
    }


def test_labels_are_optional():
    student, teacher, labels = make_batch()
    for objective in (Objective(), Objective.from_alpha(1.0)):
        total, count, gradient = run(objective, student, teacher)
        assert count == 12
        assert_close(gradient, student.softmax(-1) - teacher.softmax(-1))
        assert run(objective, student, teacher, labels)[0] == total
        loss = distillation_loss(student, teacher, objective=objective)
        assert set(loss.parts) == {"distillation"}


def test_the_parts_carry_no_gradient_and_the_teacher_gets_none():
    student, teacher, labels = make_batch()
    student.requires_grad_(), teacher.requires_grad_()
    loss = distillation_loss(student, teacher, labels, objective=Objective.from_lambda(1.0))
    assert not any(part.requires_grad for part in loss.parts.values())
    loss.total.backward()
    assert teacher.grad is None and student.grad.abs().max() > 0.1


def test_a_teacher_from_inference_mode_will_do():
    student, teacher, _ = make_batch()
    with torch.inference_mode():
        frozen = teacher * 1
    assert_close(run(Objective(), student, frozen)[2], run(Objective(), student, teacher)[2])


# ---------------------------------------------------------------- the two ways to weigh


@property_test(lambda_=st.floats(0, 50), temperature=st.floats(0.5, 5), seed=st.integers(0, 99))
def test_both_weighings_have_one_direction(lambda_, temperature, seed):
    batch = make_batch(seed=seed)
    by_lambda = run(Objective.from_lambda(lambda_, temperature=temperature), *batch)
    by_alpha = run(Objective.from_alpha(alpha_of_lambda(lambda_), temperature=temperature), *batch)
    for of_lambda, of_alpha in zip(by_lambda[::2], by_alpha[::2]):
        assert_close(of_lambda, (1 + lambda_) * of_alpha, rtol=1e-10, atol=1e-12)


@property_test(lambda_=st.floats(0, 1e6))
def test_the_conversions_are_inverse(lambda_):
    assert lambda_of_alpha(alpha_of_lambda(lambda_)) == pytest.approx(lambda_, rel=1e-9)


def test_the_ends_of_the_weighings():
    assert alpha_of_lambda(0) == lambda_of_alpha(0) == 0
    assert alpha_of_lambda(3) == 0.75 and lambda_of_alpha(0.75) == 3
    assert alpha_of_lambda(math.inf) == 1 and lambda_of_alpha(1) == math.inf
    assert Objective.from_alpha(1.0) == Objective()
    assert Objective.from_alpha(0.0) == Objective.from_lambda(0.0)


# ---------------------------------------------------------------- temperature


@every_divergence
def test_t_squared_keeps_the_size_of_the_gradient(name):
    student, teacher, _ = make_batch()
    student, teacher = student / 4, teacher / 4  # small logits: near the limit of large T
    norms = [
        [
            run(
                Objective(**named(name, temperature=temperature, scale_by_t_squared=scale)),
                student,
                teacher,
            )[2].norm()
            for temperature in (1.0, 16.0)
        ]
        for scale in (True, False)
    ]
    assert norms[1][1] * 256 == pytest.approx(norms[0][1].item())
    # The gradient of total variation falls like 1/T, the others' like 1/T².
    growth = 16 if name == "total_variation" else 1
    assert norms[0][1] / norms[0][0] == pytest.approx(growth, rel=0.3)
    assert norms[1][1] / norms[1][0] == pytest.approx(growth / 256, rel=0.3)


def test_temperature_touches_the_teacher_term_only():
    student, teacher, labels = make_batch()
    parts = [
        distillation_loss(
            student, teacher, labels, objective=Objective.from_lambda(1.0, temperature=t)
        ).parts
        for t in (1.0, 4.0)
    ]
    assert parts[0]["cross_entropy"] == parts[1]["cross_entropy"]
    assert parts[0]["distillation"] != parts[1]["distillation"]


# ---------------------------------------------------------------- what must not change it


@property_test(objective=some_objective, seed=st.integers(0, 99), size=st.floats(-50, 50))
def test_a_shift_of_each_row_of_logits(objective, seed, size):
    batch = make_batch(seed=seed)
    shift = size * torch.randn(3, 4, 1, generator=torch.Generator().manual_seed(seed)).double()
    before = run(objective, *batch)
    after = run(objective, batch.student + shift, batch.teacher - 2 * shift, batch.labels)
    assert_close(after, before, rtol=1e-9, atol=1e-11)


@property_test(objective=some_objective, seed=st.integers(0, 99))
def test_a_permutation_of_the_vocabulary(objective, seed):
    batch = make_batch(seed=seed)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(seed))
    total, count, gradient = run(objective, *batch)
    permuted = batch.student[..., order], batch.teacher[..., order], order.argsort()[batch.labels]
    expected = total, count, gradient[..., order]
    assert_close(run(objective, *permuted), expected, rtol=1e-10, atol=1e-12)


@property_test(
    objective=some_objective,
    cuts=st.lists(st.integers(0, 12), max_size=4),
    seed=st.integers(0, 99),
)
def test_any_split_of_the_batch(objective, cuts, seed):
    # Positions are independent once aligned, so a batch may be cut anywhere, even into nothing.
    student, teacher, labels = (x.flatten(0, 1) for x in make_batch(seed=seed))
    mask = make_mask().flatten()
    whole = distillation_loss(
        leaf := student.clone().requires_grad_(), teacher, labels, mask, objective=objective
    )
    whole.mean.backward()

    split = student.clone().requires_grad_()
    total = count = 0
    for start, stop in zip([0, *sorted(cuts)], [*sorted(cuts), 12]):
        piece = (x[start:stop] for x in (split, teacher, labels, mask))
        loss = distillation_loss(*piece, objective=objective)
        (loss.total / whole.count).backward()
        total, count = total + loss.total.detach(), count + loss.count
    assert count == whole.count
    assert_close(total, whole.total.detach())
    assert_close(split.grad, leaf.grad, rtol=1e-12, atol=1e-15)


@property_test(
    objective=some_objective,
    rows=st.lists(st.tuples(*[st.integers(0, 3)] * 2, st.integers(1, 5)), min_size=1, max_size=4),
    garbage=st.sampled_from([math.nan, math.inf, -math.inf, 1e30]),
    pad_id=st.sampled_from([0, 5, -1, 10**6]),
)
def test_padding_of_any_amount_and_side(objective, rows, garbage, pad_id):
    # A row is (padding on the left, most padding on the right, real tokens).
    width = max(sum(row) for row in rows)
    ids, mask = torch.full((len(rows), width), pad_id), torch.zeros(len(rows), width)
    student, teacher = torch.full((2, len(rows), width, 6), garbage).double()
    expected_gradient = torch.zeros_like(student)
    expected_total = expected_count = 0.0
    for row, (left, _, length) in enumerate(rows):
        alone = make_batch(1, length, seed=row)
        here = (row, slice(left, left + length))
        ids[here], mask[here] = alone.labels[0], 1
        student[here], teacher[here] = alone.student[0], alone.teacher[0]
        logits, labels, _ = next_token(alone.student, alone.labels)
        total, count, gradient = run(objective, logits, alone.teacher[:, :-1], labels)
        expected_gradient[row, left : left + length - 1] = gradient[0]
        expected_total, expected_count = expected_total + total, expected_count + count
    student.requires_grad_()
    logits, labels, counted = next_token(student, ids, mask)
    loss = distillation_loss(logits, teacher[:, :-1], labels, counted, objective=objective)
    loss.total.backward()
    assert loss.count == expected_count == sum(length - 1 for *_, length in rows)
    assert_close(loss.total.item(), float(expected_total), rtol=1e-12, atol=1e-12)
    assert_close(student.grad, expected_gradient, rtol=1e-10, atol=1e-14)
    assert (student.grad[expected_gradient == 0] == 0).all()
