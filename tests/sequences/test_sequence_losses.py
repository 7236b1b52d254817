"""sequence_losses.py: the exact losses against a brute force, and what is refused."""

import math

import pytest
import torch
from sequence_models import (
    EXACT,
    PrefixModel,
    Table,
    Trainable,
    brute_force,
    brute_force_losses,
    generator,
)

from kdlib.losses.divergences import (
    cross_entropy,
    entropy,
    forward_kl,
    jensen_shannon,
    reverse_kl,
    total_variation,
)
from kdlib.sequences.exact import count_sequences, enumerate_sequences, sample_sequences
from kdlib.sequences.losses import (
    best_sequence_loss,
    chain_rule_loss,
    chain_rule_terms,
    enumerated_loss,
    sampled_loss,
    stepwise_loss,
)
from kdlib.sequences.search import best_sequence


@pytest.mark.parametrize("eos_id", [2, 0, None])
@pytest.mark.parametrize("length", [1, 2, 4])
def test_enumeration_chain_rule_and_brute_force_agree(eos_id, length):
    teacher, student = PrefixModel(1, 3, eos_id), PrefixModel(2, 3, eos_id)
    p, q = brute_force(teacher, length, 8), brute_force(student, length, 9)
    contexts = {"teacher_context": 8, "student_context": 9}
    for divergence, expected in zip((cross_entropy, forward_kl), brute_force_losses(p, q)):
        for loss in (enumerated_loss, chain_rule_loss):
            assert loss(teacher, student, length, divergence, **contexts).item() == pytest.approx(
                expected, **EXACT
            )
    _, backward = brute_force_losses(q, p)
    assert enumerated_loss(
        teacher, student, length, reverse_kl, **contexts
    ).item() == pytest.approx(backward, **EXACT)
    chained = chain_rule_loss(teacher, student, length, reverse_kl, along="student", **contexts)
    assert chained.item() == pytest.approx(backward, **EXACT)


def test_a_teacher_with_zeros():
    teacher, student = PrefixModel(1, zeros=True), PrefixModel(2)
    ce, kl = brute_force_losses(brute_force(teacher, 5), brute_force(student, 5))
    assert enumerated_loss(teacher, student, 5, cross_entropy).item() == pytest.approx(ce, **EXACT)
    assert chain_rule_loss(teacher, student, 5).item() == pytest.approx(kl, **EXACT)
    assert enumerated_loss(student, teacher, 5).item() == math.inf
    assert chain_rule_loss(student, teacher, 5).item() == math.inf


def test_prefixes_that_are_never_visited_do_not_count():
    teacher = Table({(): [0.5, 0, 0.5], (1,): [1, 0, 0]}, 3, 2)
    student = Table(
        {(): [0.5, 0, 0.5], (1,): [0, 1, 0]}, 3, 2
    )  # infinitely far, after a 1 that never comes
    assert chain_rule_loss(teacher, student, 4).item() == 0
    assert chain_rule_loss(teacher, student, 4, reverse_kl, along="student").item() == 0


def test_cross_entropy_is_kl_plus_entropy_of_sequences():
    teacher, student = PrefixModel(1), PrefixModel(2)
    h = entropy(enumerate_sequences(teacher, 4).log_probs)
    ce, kl = (chain_rule_loss(teacher, student, 4, d) for d in (cross_entropy, forward_kl))
    assert (ce - kl - h).item() == pytest.approx(0, **EXACT)
    assert chain_rule_loss(teacher, teacher, 4, cross_entropy).item() == pytest.approx(
        h.item(), **EXACT
    )
    assert enumerated_loss(teacher, teacher, 4).item() == 0


def test_any_divergence_between_sequences_but_no_chain_rule_for_it():
    teacher, student = PrefixModel(1), PrefixModel(2)
    p, q = brute_force(teacher, 4), brute_force(student, 4)
    expected = 0.5 * math.fsum(abs(p[y] - q[y]) for y in p)
    assert enumerated_loss(teacher, student, 4, total_variation).item() == pytest.approx(
        expected, **EXACT
    )
    assert chain_rule_loss(teacher, student, 4, total_variation).item() > expected + 0.1
    token_level = chain_rule_loss(teacher, student, 4, jensen_shannon)
    assert abs(token_level - enumerated_loss(teacher, student, 4, jensen_shannon)) > 0.01


def test_terms_are_the_losses_gained_by_one_more_token():
    teacher, student = PrefixModel(1), PrefixModel(2)
    losses = torch.stack([enumerated_loss(teacher, student, n) for n in range(1, 6)])
    torch.testing.assert_close(
        chain_rule_terms(teacher, student, 5).cumsum(0), losses, rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("divergence", [cross_entropy, forward_kl])
def test_the_exact_losses_have_one_gradient(divergence):
    gradients = []
    for loss in (enumerated_loss, chain_rule_loss):
        student = Trainable()
        loss(PrefixModel(1), student, 4, divergence).backward()
        gradients.append(student.logits.grad)
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-12)
    assert gradients[0].abs().max() > 0.1


def test_on_policy_chain_rule_has_the_whole_gradient():
    gradients = []
    for loss, option in ((enumerated_loss, {}), (chain_rule_loss, {"along": "student"})):
        student = Trainable()
        loss(PrefixModel(1), student, 4, reverse_kl, **option).backward()
        gradients.append(student.logits.grad)
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-12)


def test_hard_target_loss_is_the_students_surprise_at_the_teachers_best():
    teacher, student = PrefixModel(1), PrefixModel(2)
    p, q = brute_force(teacher, 4, 8), brute_force(student, 4, 9)
    expected = -math.log(q[max(p, key=p.get)])
    contexts = {"teacher_context": 8, "student_context": 9}
    assert best_sequence_loss(teacher, student, 4, **contexts).item() == pytest.approx(
        expected, **EXACT
    )
    assert best_sequence_loss(teacher, student, 4, beam=99, **contexts).item() == pytest.approx(
        expected, **EXACT
    )


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: count_sequences(0, 3), "vocab_size is 0"),
        (lambda: count_sequences(3, 0), "length is 0"),
        (lambda: enumerate_sequences(PrefixModel(0), 0), "length is 0"),
        (lambda: sample_sequences(PrefixModel(0), 0, 5, generator()), "length is 0"),
        (lambda: sample_sequences(PrefixModel(0), 3, 0, generator()), "samples is 0"),
        (lambda: best_sequence(PrefixModel(0), 3, beam=0), "beam is 0"),
        (lambda: best_sequence(PrefixModel(0), 0, beam=1), "length is 0"),
        (lambda: chain_rule_loss(PrefixModel(0), PrefixModel(1), 0), "length is 0"),
        (
            lambda: chain_rule_loss(PrefixModel(0), PrefixModel(1), 2, along="both"),
            "along is 'both'",
        ),
        (
            lambda: stepwise_loss(
                PrefixModel(0), PrefixModel(1), 2, samples=9, generator=generator(), along="x"
            ),
            "along is 'x'",
        ),
        (
            lambda: sampled_loss(
                PrefixModel(0), PrefixModel(1), 2, samples=1, generator=generator()
            ),
            "samples is 1",
        ),
        (
            lambda: stepwise_loss(
                PrefixModel(0), PrefixModel(1), 2, samples=1, generator=generator()
            ),
            "samples is 1",
        ),
        (
            lambda: sampled_loss(
                PrefixModel(0), PrefixModel(1), 2, reverse_kl, samples=9, generator=generator()
            ),
            "divergence is reverse_kl.*swap teacher and student",
        ),
        (
            lambda: enumerated_loss(PrefixModel(0), PrefixModel(0, 4), 2),
            "student.vocab_size is 4, teacher.vocab_size",
        ),
        (
            lambda: best_sequence_loss(PrefixModel(0), PrefixModel(0, 3, 1), 2),
            "student.eos_id is 1, teacher.eos_id",
        ),
    ],
)
def test_errors_name_the_argument_and_the_way_out(call, message):
    with pytest.raises(ValueError, match=message):
        call()
