"""Objectives at their edges: what does not count, the shift by one token, precision, refusals."""

import dataclasses
import math

import numpy as np
import pytest
import scipy.special
import torch
from objective_cases import (
    every_divergence,
    make_batch,
    make_mask,
    named,
    reference,
    run,
)
from torch.testing import assert_close

from kdlib.losses.alignment import next_token
from kdlib.losses.closed_forms import combined_logit_gradient
from kdlib.losses.distillation import IGNORE_INDEX, distillation_loss
from kdlib.losses.objectives import Loss, Objective, alpha_of_lambda, lambda_of_alpha
from kdlib.losses.softmax import log_softmax

INF = math.inf
BOTH = Objective.from_lambda(0.7, temperature=2.0)


# ---------------------------------------------------------------- what does not count


def test_ignored_labels_count_nowhere():
    batch, mask = make_batch(), make_mask()
    expected = run(BOTH, *batch, mask)
    labels = batch.labels.masked_fill(~mask, -100)
    assert_close(run(BOTH, batch.student, batch.teacher, labels), expected)
    assert_close(run(BOTH, batch.student, batch.teacher, labels, torch.ones(3, 4)), expected)
    labels = batch.labels.masked_fill(~mask, -1)
    assert_close(run(BOTH, batch.student, batch.teacher, labels, ignore_index=-1), expected)
    assert_close(run(BOTH, *batch, ignore_index=None), run(BOTH, *batch))  # none is ignored
    # Neither is an ignored label a target of pure distillation.
    labels = batch.labels.masked_fill(~mask, -100)
    assert run(Objective(), batch.student, batch.teacher, labels)[1] == mask.sum()


def test_masks_of_any_kind():
    batch, mask = make_batch(), make_mask()
    for kind in (torch.int64, torch.uint8, torch.float32):
        assert_close(run(BOTH, *batch, mask.to(kind)), run(BOTH, *batch, mask))
        unlabelled = (Objective(), batch.student, batch.teacher, None)
        assert_close(run(*unlabelled, mask.to(kind)), run(*unlabelled, mask))


def test_token_weights():
    batch, mask = make_batch(), make_mask()
    weights = torch.rand(3, 4, generator=torch.Generator().manual_seed(1)).double()
    weights[tuple(mask.nonzero()[0])] = 0
    effective = (weights * mask).numpy()
    ce, kd, gradient = reference(batch, "forward_kl", 2.0, 1, 0.7, True, effective)
    total, count, found = run(BOTH, *batch, mask, token_weights=weights)
    assert total.item() == pytest.approx(ce + 0.7 * kd, rel=1e-12)
    assert count.item() == pytest.approx(effective.sum(), rel=1e-12)
    np.testing.assert_allclose(found, gradient, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("garbage", [math.nan, INF, -INF])
@pytest.mark.parametrize("how", ["mask", "ignore_index", "token_weights"])
def test_garbage_where_nothing_counts(how, garbage):
    batch, mask = make_batch(), make_mask()
    expected = run(BOTH, *batch, mask)
    student, teacher = (
        logits.masked_fill(~mask[..., None], garbage) for logits in (batch.student, batch.teacher)
    )
    total, count, gradient = {
        "mask": lambda: run(
            BOTH,
            student,
            teacher,
            batch.labels.masked_fill(~mask, 10**9),
            mask,
            token_weights=torch.ones(3, 4).masked_fill(~mask, math.nan),
        ),
        "ignore_index": lambda: run(
            BOTH, student, teacher, batch.labels.masked_fill(~mask, IGNORE_INDEX)
        ),
        "token_weights": lambda: run(
            BOTH, student, teacher, batch.labels, token_weights=mask.double()
        ),
    }[how]()
    assert_close((total, count, gradient), expected)
    assert (gradient[~mask] == 0).all()


def test_garbage_where_something_counts_is_not_hidden():
    student, teacher, labels = make_batch()
    student[0, 0, 0] = math.nan
    assert run(BOTH, student, teacher, labels)[0].isnan()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@every_divergence
def test_an_empty_batch(name, dtype):
    batch = make_batch()
    student = batch.student.to(dtype).requires_grad_()
    objective = Objective.from_lambda(0.5, **named(name))
    mask = torch.zeros(3, 4)
    loss = distillation_loss(student, batch.teacher, batch.labels, mask, objective=objective)
    assert loss.total == loss.count == loss.mean == 0
    for scalar in (loss.total, loss.mean):
        (gradient,) = torch.autograd.grad(scalar, student, retain_graph=True)
        assert (gradient == 0).all()


def test_no_position_at_all():
    logits, labels, mask = next_token(torch.zeros(2, 1, 5), torch.zeros(2, 1, dtype=torch.int64))
    total, count, gradient = run(BOTH, logits, logits, labels, mask)
    assert total == count == 0 and gradient.shape == (2, 0, 5)


def test_the_mean_divides_by_the_weights():
    loss = Loss(torch.tensor(3.0), torch.tensor(0.5), {})
    assert loss.mean == 6


@every_divergence
def test_slots_that_do_not_exist(name):
    batch = make_batch()
    objective = Objective.from_lambda(0.7, **named(name, temperature=2.0))
    total, count, gradient = run(objective, *batch)
    holes = torch.full((3, 4, 3), -INF, dtype=torch.float64)
    student, teacher = (torch.cat([x, holes], -1) for x in (batch.student, batch.teacher))
    found = run(objective, student, teacher, batch.labels)
    assert_close(found[:2], (total, count))
    assert_close(found[2][..., :6], gradient)
    assert (found[2][..., 6:] == 0).all()


# ---------------------------------------------------------------- the next token


def test_next_token_pairs_each_position_with_what_follows():
    ids = torch.tensor([[9, 4, 5, 9, 9], [4, 5, 6, 7, 9]])  # 9 ends a text and pads
    mask = torch.tensor([[0, 1, 1, 1, 0], [1, 1, 1, 1, 1]])
    read = torch.arange(5.0).expand(2, 5)[..., None].expand(2, 5, 10)
    logits, labels, counted = next_token(read, ids, mask)
    assert logits[..., 0].tolist() == [[0, 1, 2, 3]] * 2
    assert labels.tolist() == [[4, 5, 9, 9], [5, 6, 7, 9]]
    assert counted.tolist() == [[False, True, True, False], [True] * 4]
    assert counted.dtype == torch.bool
    # Without a mask every token is real, whatever its id.
    assert next_token(read, ids)[2].all() and next_token(read, ids)[2].shape == (2, 4)


def test_next_token_without_a_batch_and_with_a_hole():
    logits, labels, counted = next_token(
        torch.zeros(4, 3), torch.arange(4), torch.tensor([1, 1, 0, 1])
    )
    assert logits.shape == (3, 3)
    assert labels.tolist() == [1, 2, 3]
    assert counted.tolist() == [True, False, False]


def test_a_prompt_is_left_out_by_its_labels_not_by_the_mask():
    ids, answer = torch.tensor([[1, 2, 3, 4]]), torch.tensor([[False, False, True, True]])
    read, objective = make_batch(1, 4).student, Objective.from_lambda(0.0)

    def loss(ids, mask):
        logits, labels, counted = next_token(read, ids, mask)
        return distillation_loss(logits, None, labels, counted, objective=objective)

    by_label = loss(ids.masked_fill(~answer, IGNORE_INDEX), torch.ones(1, 4))
    surprise = -read[0].log_softmax(-1)
    assert by_label.count == 2
    assert_close(by_label.total, surprise[1, 3] + surprise[2, 4])
    # The mask wants the token read to be real too: the answer's first token would be lost.
    assert_close(loss(ids, answer).total, surprise[2, 4])


# ---------------------------------------------------------------- precision


def test_a_kl_of_a_thousandth_over_a_large_vocabulary_in_bfloat16():
    generator = torch.Generator().manual_seed(0)
    teacher = torch.randn(1, 128_000, generator=generator).bfloat16()
    student = (teacher + 0.045 * torch.randn(1, 128_000, generator=generator)).bfloat16()
    p, q = (scipy.special.softmax(x.double().numpy()) for x in (teacher, student))
    expected = scipy.special.kl_div(p, q).sum()
    assert 0.9e-3 < expected < 1.2e-3
    total, count, gradient = run(Objective(), student, teacher)
    assert total.item() == pytest.approx(expected, rel=0.01)
    assert total.dtype == count.dtype == torch.float32
    assert gradient.dtype == torch.bfloat16
    np.testing.assert_allclose(gradient.double(), q - p, rtol=0.01, atol=1e-9)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [(torch.float16, torch.float32), (torch.float32, torch.float32), (torch.float64,) * 2],
)
def test_half_precision_is_widened(dtype, expected):
    logits = make_batch().student.to(dtype)
    log_p = log_softmax(logits, 2.0)
    assert log_p.dtype == expected
    assert_close(log_p, (logits.to(expected) / 2).log_softmax(-1))
    assert run(Objective(), logits, logits)[0].dtype == expected


def test_a_half_precision_teacher_beside_an_exact_student():
    student, teacher, _ = make_batch()
    rounded = teacher.bfloat16()
    assert_close(run(Objective(), student, rounded), run(Objective(), student, rounded.double()))


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Objective(label_weight=-0.1), "^label_weight is -0.1; .* finite and at least 0"),
        (lambda: Objective(teacher_weight=INF), "^teacher_weight is inf; .* finite"),
        (lambda: Objective(teacher_weight=math.nan), "^teacher_weight is nan"),
        (lambda: Objective(0.0, 0.0), "^label_weight and teacher_weight are both 0: nothing"),
        (lambda: Objective(temperature=0.0), "^temperature is 0.0; .* finite and above 0"),
        (lambda: Objective(temperature=INF), "^temperature is inf"),
        (lambda: Objective(temperature=math.nan), "^temperature is nan"),
        (lambda: Objective(divergence="kl"), "^divergence must be one of .* got 'kl'"),
        (lambda: Objective(divergence="skew_kl"), "missing .* 'alpha'"),
        (
            lambda: Objective(divergence="skew_kl", divergence_parameters={"alpha": 2}),
            r"^alpha must be a number in \[0, 1\], got 2",
        ),
        (lambda: Objective.from_lambda(-1), "^lambda_ is -1; it must be finite and at least 0"),
        (lambda: Objective.from_lambda(INF), "^lambda_ is inf"),
        (lambda: Objective.from_alpha(1.01), r"^alpha is 1.01; it must lie in \[0, 1\]"),
        (lambda: Objective.from_alpha(-0.01), "^alpha is -0.01"),
        (lambda: alpha_of_lambda(-0.5), "^lambda_ is -0.5; it must be at least 0"),
        (lambda: alpha_of_lambda(math.nan), "^lambda_ is nan"),
        (lambda: lambda_of_alpha(1.5), r"^alpha is 1.5; it must lie in \[0, 1\]"),
        (lambda: lambda_of_alpha(-0.5), "^alpha is -0.5"),
    ],
)
def test_settings_outside_their_range(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_settings_once_checked_stay_as_they_are():
    with pytest.raises(dataclasses.FrozenInstanceError):
        BOTH.temperature = 0.0


def shaped(**changes):
    logits, labels = torch.zeros(2, 3, 5), torch.zeros(2, 3, dtype=torch.int64)
    arguments = dict(student_logits=logits, teacher_logits=logits, labels=labels) | changes
    return lambda: distillation_loss(objective=BOTH, **arguments)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (shaped(teacher_logits=None), "^there is no teacher, but teacher_weight is above 0"),
        (shaped(labels=None), "^labels is None, but label_weight is above 0"),
        (
            shaped(teacher_logits=torch.zeros(2, 3, 6)),
            r"^teacher_logits has shape \(2, 3, 6\), student_logits \(2, 3, 5\); .*vocabularies",
        ),
        (shaped(teacher_logits=torch.zeros(1, 3, 5)), r"^teacher_logits has shape \(1, 3, 5\)"),
        (
            shaped(labels=torch.zeros(2, 4)),
            r"^labels has shape \(2, 4\); it must be \(2, 3\), one for each",
        ),
        (shaped(mask=torch.ones(3)), r"^mask has shape \(3,\); .* \(2, 3\).*next_token"),
        (shaped(token_weights=torch.ones(2, 1)), r"^token_weights has shape \(2, 1\)"),
        (
            lambda: combined_logit_gradient(*torch.ones(3, 4), Objective(divergence="reverse_kl")),
            "^divergence is 'reverse_kl'; the closed form is forward_kl's",
        ),
    ],
)
def test_inputs_that_do_not_fit(call, message):
    with pytest.raises(ValueError, match=message):
        call()
