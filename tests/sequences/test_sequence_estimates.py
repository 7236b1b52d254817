"""sequence_losses.py: the Monte-Carlo estimates are unbiased and know their own error."""

import math

import pytest
import torch
from sequence_models import EXACT, PrefixModel, Table, Trainable, generator

from kdlib.losses.divergences import cross_entropy, forward_kl, jensen_shannon, reverse_kl
from kdlib.sequences.exact import enumerate_sequences, position_log_probs, sequence_log_probs
from kdlib.sequences.losses import chain_rule_loss, enumerated_loss, sampled_loss, stepwise_loss
from kdlib.sequences.sums import sequence_sum

ESTIMATES = [
    (sampled_loss, cross_entropy),
    (sampled_loss, forward_kl),
    (stepwise_loss, cross_entropy),
    (stepwise_loss, forward_kl),
    (stepwise_loss, jensen_shannon),
]


@pytest.mark.parametrize(("estimator", "divergence"), ESTIMATES)
def test_estimates_are_unbiased_and_know_their_error(estimator, divergence):
    teacher, student, draws = PrefixModel(1), PrefixModel(2), 150
    options = {"teacher_context": 8, "student_context": 9}
    exact = chain_rule_loss(teacher, student, 3, divergence, **options)
    found = [
        estimator(teacher, student, 3, divergence, samples=30, generator=generator(seed), **options)
        for seed in range(draws)
    ]
    values = torch.stack([e.value for e in found])
    errors = torch.stack([e.standard_error for e in found])
    assert abs(values.mean() - exact) < 3.5 * values.std() / draws**0.5
    assert errors.square().mean().sqrt().item() == pytest.approx(values.std().item(), rel=0.2)
    assert found[0].samples == 30


def test_stepwise_along_the_student_is_unbiased():
    teacher, student = PrefixModel(1), PrefixModel(2)
    contexts = {"teacher_context": 8, "student_context": 9}
    exact = enumerated_loss(teacher, student, 3, reverse_kl, **contexts)
    options = {"samples": 4000, "generator": generator(), **contexts}
    found = stepwise_loss(teacher, student, 3, reverse_kl, along="student", **options)
    assert abs(found.value - exact) < 3.5 * found.standard_error
    other = stepwise_loss(teacher, student, 3, reverse_kl, along="teacher", **options)
    assert (
        abs(other.value - exact) > 5 * other.standard_error
    )  # the teacher's prefixes are other prefixes


# ---------------------------------------------------------------- variance


def exact_variances(teacher, student, length, divergence):
    """Of one sample of the plain and of the stepwise estimate, by enumeration."""
    y = enumerate_sequences(teacher, length)
    plain = -sequence_log_probs(student, y.tokens) + (divergence is forward_kl) * y.log_probs
    rows = divergence(position_log_probs(teacher, y.tokens), position_log_probs(student, y.tokens))
    p = y.log_probs.exp()
    return [(p * v**2).sum() - (p * v).sum() ** 2 for v in (plain, sequence_sum(rows, y.mask))]


@pytest.mark.parametrize(
    ("divergence", "eos_id", "share"),
    [(forward_kl, 2, 0.9), (forward_kl, None, 0.6), (cross_entropy, None, 0.6)],
)
def test_stepwise_estimate_has_the_lower_variance(divergence, eos_id, share):
    for seed in range(8):
        teacher, student = PrefixModel(seed, 3, eos_id), PrefixModel(seed + 100, 3, eos_id)
        plain, stepwise = exact_variances(teacher, student, 4, divergence)
        assert 0 < stepwise < share * plain
        estimates = [
            estimator(teacher, student, 4, divergence, samples=2000, generator=generator())
            for estimator in (sampled_loss, stepwise_loss)
        ]
        for variance, estimate in zip((plain, stepwise), estimates):
            assert estimate.standard_error.item() == pytest.approx(
                (variance / 2000).sqrt().item(), rel=0.15
            )


def test_stepwise_estimate_has_not_always_the_lower_variance():
    """P(y) / Q(y) = 2 for every possible y: nothing varies, except between the steps."""
    p = Table({(): [0.5, 0.5, 0], (0,): [1, 0, 0], (1,): [1, 0, 0]}, 3, None)
    q = Table({(): [0.25, 0.75, 0], (0,): [1, 0, 0], (1,): [1 / 3, 2 / 3, 0]}, 3, None)
    plain, stepwise = (
        f(p, q, 2, samples=500, generator=generator()) for f in (sampled_loss, stepwise_loss)
    )
    assert plain.value.item() == pytest.approx(math.log(2), **EXACT)
    assert plain.standard_error.item() == pytest.approx(0, abs=1e-12)
    assert stepwise.standard_error > 0.02
    assert abs(stepwise.value - math.log(2)) < 3.5 * stepwise.standard_error


def test_stepwise_kl_is_never_negative_where_plain_sampling_may_be():
    teacher, student = PrefixModel(1), PrefixModel(2)
    few = [
        [f(teacher, student, 3, samples=2, generator=generator(s)).value.item() for s in range(60)]
        for f in (sampled_loss, stepwise_loss)
    ]
    assert min(few[0]) < 0 <= min(few[1])


def test_an_impossible_sample_is_an_infinite_loss_with_an_infinite_error():
    never = Table({(): [1, 0, 0]}, 3, 2)
    found = sampled_loss(PrefixModel(1), never, 2, samples=50, generator=generator())
    assert found.value.item() == math.inf and found.standard_error.item() == math.inf


@pytest.mark.parametrize("estimator", [sampled_loss, stepwise_loss])
def test_the_gradient_of_an_estimate_is_unbiased(estimator):
    exact, estimated = Trainable(), Trainable()
    enumerated_loss(PrefixModel(1), exact, 3).backward()
    estimator(PrefixModel(1), estimated, 3, samples=4000, generator=generator()).value.backward()
    torch.testing.assert_close(estimated.logits.grad, exact.logits.grad, rtol=0, atol=0.06)
    assert exact.logits.grad.abs().max() > 0.3
