"""Losses of several batches add up: totals, counts and parts, and nothing else that has a sum."""

import itertools
import math

import pytest
import torch
from objective_cases import make_batch

from kdlib.losses.distillation import distillation_loss
from kdlib.losses.objectives import Loss, Objective

BOTH = Objective.from_lambda(0.7)


def loss(total, count, **parts):
    return Loss(
        torch.tensor(total), torch.tensor(count), {k: torch.tensor(v) for k, v in parts.items()}
    )


ONE, TWO = loss(3.0, 2.0, cross_entropy=1.0), loss(0.5, 4.0, cross_entropy=0.25)


def test_totals_counts_and_parts_add_up():
    both = ONE + TWO
    assert isinstance(both, Loss)
    assert (both.total, both.count, both.parts) == (3.5, 6.0, {"cross_entropy": 1.25})
    assert both.mean == pytest.approx(3.5 / 6)
    assert (ONE.total, ONE.count, ONE.parts) == (3.0, 2.0, {"cross_entropy": 1.0})


def test_a_sum_over_many():
    whole = sum([ONE, TWO, ONE])
    assert (whole.total, whole.count, whole.parts["cross_entropy"]) == (6.5, 8.0, 2.25)
    assert sum([ONE]) == ONE


def test_the_sum_of_two_halves_is_the_loss_of_the_whole():
    student, teacher, labels = make_batch(rows=4)
    student.requires_grad_()
    halves = sum(
        distillation_loss(student[rows], teacher[rows], labels[rows], objective=BOTH)
        for rows in (slice(0, 1), slice(1, 4))
    )
    whole = distillation_loss(student, teacher, labels, objective=BOTH)
    torch.testing.assert_close(halves.mean, whole.mean)
    mine, expected = (torch.autograd.grad(x.total, student)[0] for x in (halves, whole))
    torch.testing.assert_close(mine, expected)


def test_losses_of_other_parts_are_refused_by_name():
    other = loss(1.0, 1.0, cross_entropy=1.0, distillation=2.0)
    for one, two in itertools.permutations((ONE, other)):
        with pytest.raises(ValueError, match="cross_entropy.* is added to .*cross_entropy"):
            one + two


@pytest.mark.parametrize("other", [0.0, 1, None, (1, 2, 3), torch.tensor(1.0)])
def test_nothing_but_a_loss_is_added(other):
    with pytest.raises(TypeError, match="a Loss is added to a"):
        ONE + other
    if not (isinstance(other, int | float) and other == 0):  # where `sum` begins
        with pytest.raises(TypeError, match="a Loss is added to a"):
            other + ONE


@pytest.mark.parametrize("multiply", [lambda x: x * 2, lambda x: 2 * x, lambda x: x * 0.5])
def test_a_loss_is_not_repeated_like_a_tuple(multiply):
    with pytest.raises(TypeError, match="multiply its total"):
        multiply(ONE)


def test_an_objective_is_a_key():
    skewed = {"divergence": "skew_kl", "divergence_parameters": {"alpha": 0.1}}
    one, again, other = Objective(**skewed), Objective(**skewed), Objective(temperature=2.0)
    assert hash(one) == hash(again)
    assert {one: 1, other: 2}[again] == 1
    assert len({one, again, other}) == 2
    assert math.isfinite(hash(Objective()))
