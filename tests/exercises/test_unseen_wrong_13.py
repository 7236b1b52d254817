"""Unseen mistakes of chapter 13: nine in ten are named rightly."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from unseen import Unseen, assert_nine_in_ten

from kdlib.exercises import exercise

unseen = Unseen()


def kl(teacher, student, reduction="sum"):
    return F.kl_div(student.log_softmax(-1), teacher.softmax(-1), reduction=reduction)


def per_position(teacher, student, temperature):
    return kl(teacher / temperature, student / temperature, "none").sum(-1)


@unseen.wrong("bug-masked-loss", "padding-counted")
def masked_loss_mean(teacher, student, mask, temperature):
    return (per_position(teacher, student, temperature) * mask).mean() * temperature**2


@unseen.wrong("bug-masked-loss", "temperature-one-side")
def masked_loss_half_softened(teacher, student, mask, temperature):
    losses = kl(teacher, student / temperature, "none").sum(-1)
    return losses[mask.bool()].mean() * temperature**2


@unseen.wrong("bug-masked-loss", "missing-t-squared", "padding-counted")
def masked_loss_two_bugs_left(teacher, student, mask, temperature):
    return per_position(teacher, student, temperature).mean()


@unseen.wrong("bug-masked-loss", "hard-for-soft")
def masked_loss_of_labels(teacher, student, mask, temperature):
    real = mask.bool()
    return F.cross_entropy(student[real], teacher[real].argmax(-1))


def masked_loss(teacher, student, mask, temperature, log_softmax=lambda x: x.log_softmax(-1)):
    log_p, log_q = log_softmax(teacher / temperature), log_softmax(student / temperature)
    losses = (log_p.exp() * (log_p - log_q)).sum(-1)
    return (losses * mask).sum() / mask.sum() * temperature**2


unseen.wrong("bug-masked-loss", "student-gets-no-gradient")(torch.no_grad()(masked_loss))


@unseen.wrong("bug-masked-loss", "student-gets-no-gradient")
def masked_loss_of_arrays(teacher, student, mask, temperature):
    losses = per_position(teacher, student, temperature).detach().numpy()
    return np.average(losses, weights=mask.numpy()) * temperature**2


def floored(logits):
    return (logits.softmax(-1) + 1e-8).log()


def clamped(logits):
    return logits.softmax(-1).clamp_min(1e-9).log()


@unseen.wrong("bug-masked-loss", "floor-in-logarithm")
def masked_loss_floored(*everything):
    return masked_loss(*everything, floored)


@unseen.wrong("bug-next-word-loss", "student-gets-no-gradient")
def next_word_detached(logits, tokens, mask, stop):
    labels = tokens[:, 1:].masked_fill(mask[:, 1:] * mask[:, :-1] == 0, -100)
    return F.cross_entropy(logits.detach()[:, :-1].transpose(1, 2), labels)


@unseen.wrong("bug-next-word-loss", "floor-in-logarithm")
def next_word_clamped(logits, tokens, mask, stop):
    labels = tokens[:, 1:].masked_fill(mask[:, 1:] * mask[:, :-1] == 0, -100)
    return F.nll_loss(clamped(logits)[:, :-1].transpose(1, 2), labels)


@unseen.wrong("bug-next-word-loss", "off-by-one")
def next_word_unshifted(logits, tokens, mask, stop):
    return F.cross_entropy(logits[mask.bool()], tokens[mask.bool()])


@unseen.wrong("bug-next-word-loss", "stop-token-masked")
def next_word_ignoring_stop(logits, tokens, mask, stop):
    return F.cross_entropy(logits[:, :-1].transpose(1, 2), tokens[:, 1:], ignore_index=stop)


@unseen.wrong("bug-soft-targets", "softmax-twice")
def soft_targets_twice(teacher, student):
    return F.kl_div(student.softmax(-1).log_softmax(-1), teacher.softmax(-1), reduction="batchmean")


@unseen.wrong("bug-soft-targets", "divergences-mixed-up", "logits-for-probabilities")
def soft_targets_squared(teacher, student):
    return F.mse_loss(student.softmax(-1), teacher.softmax(-1))


def soft_targets(teacher, student, log=torch.log):
    return F.kl_div(log(student.softmax(-1)), teacher.softmax(-1), reduction="batchmean")


@unseen.wrong("bug-soft-targets", "student-gets-no-gradient")
def soft_targets_as_a_number(teacher, student):
    return soft_targets(teacher, student).item()


@unseen.wrong("bug-soft-targets", "floor-in-logarithm")
def soft_targets_floored(teacher, student):
    return soft_targets(teacher, student, lambda q: (q + 1e-10).log())


@unseen.wrong("bug-small-kl", "floor-in-logarithm")
def small_kl_clamped(teacher, student):
    log_p, log_q = clamped(teacher.float()), clamped(student.float())
    return (log_p.exp() * (log_p - log_q)).sum(-1)


@unseen.wrong("bug-two-directions", "floor-in-logarithm", "zero-log-zero")
def two_directions_floored(teacher, student):
    log_p, log_q = floored(teacher), floored(student)
    return (log_p.exp() * (log_p - log_q)).sum(-1), (log_q.exp() * (log_q - log_p)).sum(-1)


@unseen.wrong("bug-two-directions", "kl-reversed")
def two_directions_exchanged(teacher, student):
    return kl(student, teacher, "none").sum(-1), kl(teacher, student, "none").sum(-1)


@unseen.wrong("bug-small-kl", "half-precision-softmax")
def small_kl_converted_late(teacher, student):
    log_p, log_q = teacher.log_softmax(-1).float(), student.log_softmax(-1).float()
    return (log_p.exp() * (log_p - log_q)).sum(-1)


@unseen.wrong("bug-training-step", "teacher-gets-gradient")
def training_step_without_no_grad(teacher, student, x, rate):
    teacher.eval()
    student.zero_grad()
    loss = kl(teacher(x), student(x), "batchmean")
    loss.backward()
    for parameter in student.parameters():
        parameter.data -= rate * parameter.grad
    return loss.item()


@unseen.wrong("bug-training-step", "floor-in-logarithm")
def training_step_floored(teacher, student, x, rate):
    target, log_q = teacher.eval()(x).detach().softmax(-1), floored(student(x))
    return moved(student, F.kl_div(log_q, target, reduction="batchmean"), rate)


def moved(student, loss, rate):
    student.zero_grad()
    loss.backward()
    for parameter in student.parameters():
        parameter.data -= rate * parameter.grad
    return loss.item()


@unseen.wrong("bug-training-step", "student-gets-no-gradient")
def training_step_without_a_step(teacher, student, x, rate):
    teacher.eval()
    with torch.no_grad():
        return kl(teacher(x), student(x), "batchmean").item()


@pytest.mark.filterwarnings("ignore:reduction")
def test_unseen_mistakes_are_named():
    assert_nine_in_ten(unseen.of_chapter(13))


@pytest.mark.parametrize("after", [lambda s: s.eval(), lambda s: s.requires_grad_(False)])
def test_a_student_can_be_trained_on_after_its_step(after):
    def step(teacher, student, x, rate):
        with torch.no_grad():
            target = teacher.eval()(x)
        loss = moved(student, kl(target, student(x), "batchmean"), rate)
        after(student)
        return loss

    verdict = exercise("bug-training-step").check(step)
    assert verdict.misconception == "model-handed-back-changed", verdict
    assert "student" in verdict.seen


def test_each_part_of_the_student_keeps_its_mode():
    def step(teacher, student, x, rate):
        with torch.no_grad():
            target = teacher.eval()(x)
        loss = moved(student, kl(target, student(x), "batchmean"), rate)
        student.train(student.training)
        return loss

    verdict = exercise("bug-training-step").check(step)
    assert verdict.misconception == "model-handed-back-changed", verdict


def test_a_temperature_has_a_fraction():
    def loss(teacher, student, mask, temperature):
        temperature = max(temperature % 1, int(temperature))  # 0.8 stays
        losses = per_position(teacher, student, temperature)
        return temperature**2 * losses[mask.bool()].mean()

    assert exercise("bug-masked-loss").check(loss).outcome == "wrong"


@pytest.mark.parametrize(
    ("id", "swapped"),
    [
        ("bug-next-word-loss", lambda lo, tok, m, stop: F.cross_entropy(tok[:, :-1], lo[:, 1:])),
        ("bug-next-word-loss", lambda lo, tok, m, stop: tok.log_softmax(-1).mean()),
        ("bug-soft-targets", lambda t, s: F.kl_div(s.argmax(-1).log_softmax(-1), t.softmax(-1))),
    ],
)
def test_arguments_that_are_swapped_are_an_attempt(id, swapped):
    verdict = exercise(id).check(swapped)
    assert verdict.outcome == "error" and "softmax" in verdict.note, verdict


@pytest.mark.parametrize("loss", [lambda loss: (loss, loss), lambda loss: "small", lambda loss: {}])
def test_a_result_of_another_kind_is_no_error_in_the_book(loss):
    def step(teacher, student, x, rate):
        with torch.no_grad():
            target = teacher.eval()(x)
        return loss(moved(student, kl(target, student(x), "batchmean"), rate))

    verdict = exercise("bug-training-step").check(step)
    assert verdict.outcome == "wrong" and "line" not in verdict.note, verdict
