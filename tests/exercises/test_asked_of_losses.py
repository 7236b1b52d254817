"""What is asked of a loss besides its value: a gradient for the student, and no floor."""

import pytest
import torch
import torch.nn.functional as F

from kdlib.exercises import code
from kdlib.exercises.authoring.floors import UNLIKELY, no_floor
from kdlib.exercises.authoring.gradients import gradient_in, in_logits, trains_the_student
from kdlib.exercises.authoring.inputs import log_pair


@pytest.fixture
def surprise():
    @code(prompt="cross-entropy", source=("Q01",), difficulty=1, minutes=1, hints=("think", "look"))
    def mean_surprise(log_p, log_q):
        """Mean cross-entropy of the rows. -> scalar"""
        return -(log_p.exp() * log_q).sum(dim=-1).mean()

    for rows, words in ((3, 5), (2, 4), (1, 3)):
        mean_surprise.probe(f"{rows} rows", *log_pair(rows, words, seed=rows))
    no_floor(mean_surprise, torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[UNLIKELY, 0.0]]))
    trains_the_student(
        mean_surprise, *log_pair(4, 3, seed=9), measure=gradient_in(1, inner=in_logits)
    )
    return mean_surprise


def by_row(log_p, log_q):
    return -(log_p.exp() * log_q).sum(dim=-1)


def test_what_may_be_done_to_the_student_on_the_way(surprise):
    assert surprise.check(lambda p, q: F.cross_entropy(q, p.exp()))  # normalised once more
    assert surprise.check(lambda p, q: by_row(p.double(), q.double()).mean())
    assert surprise.check(lambda p, q: -(q.mul_(p.exp())).sum(dim=-1).mean())


def test_without_a_gradient_right_values_are_wrong(surprise):
    for answer in (
        lambda p, q: by_row(p, q).mean().item(),
        lambda p, q: by_row(p, q.detach()).mean(),
        lambda p, q: -(p.exp().numpy() * q.numpy()).sum(-1).mean(),
    ):
        assert surprise.check(answer).misconception == "student-gets-no-gradient"


def test_half_of_the_gradient_is_not_enough(surprise):
    answer = lambda p, q: by_row(p, torch.cat([q[:, :1], q[:, 1:].detach()], dim=-1)).mean()
    assert surprise.check(answer).misconception == "student-gets-no-gradient"


def test_neither_a_stub_nor_an_error_is_taken_for_a_loss_without_gradient(surprise):
    def raising(log_p, log_q):
        raise RuntimeError("sizes do not match")

    def untouched(log_p, log_q):
        raise NotImplementedError

    assert surprise.check(raising).outcome == "error"
    assert surprise.check(untouched).outcome == "not attempted"
    assert surprise.check(lambda p, q: None).outcome == "not attempted"


def test_a_floor_is_named_and_a_larger_result_is_not_one(surprise):
    floored = lambda p, q: by_row(p, (q.exp() + 1e-8).log()).mean()
    assert surprise.check(floored).misconception == "floor-in-logarithm"
    steeper = lambda p, q: by_row(p, torch.where(q < -30, 2 * q, q)).mean()
    verdict = surprise.check(steeper)
    assert verdict.outcome == "wrong" and "too near to 0" not in verdict.seen
