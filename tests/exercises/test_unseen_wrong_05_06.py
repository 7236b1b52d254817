"""Unseen mistakes of chapters 5 and 6: nine in ten are named rightly."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from unseen import Unseen, assert_nine_in_ten

from kdlib.exercises import exercise

unseen = Unseen()


def kl(teacher, student):
    return F.kl_div(
        student.log_softmax(-1), teacher.log_softmax(-1), log_target=True, reduction="sum"
    )


def labels_term(labels, student):
    return F.cross_entropy(student, labels, reduction="sum")


@unseen.wrong("combined-objective", "argmax-sign", "mean-for-sum")
def objective_as_a_library_loss(labels, teacher, student, lambda_):
    kd = F.kl_div(student.log_softmax(-1), teacher.softmax(-1), reduction="batchmean")
    return F.cross_entropy(student, labels) + lambda_ * kd


@unseen.wrong("combined-objective", "mean-for-sum")
def objective_batchmean(labels, teacher, student, lambda_):
    kd = F.kl_div(student.log_softmax(-1), teacher.softmax(-1), reduction="batchmean")
    return -labels_term(labels, student) - lambda_ * kd


@unseen.wrong("combined-objective", "conventions-mixed")
def objective_normalised(labels, teacher, student, lambda_):
    return -(labels_term(labels, student) + lambda_ * kl(teacher, student)) / (1 + lambda_)


@unseen.wrong("combined-objective", "kl-reversed", "ce-called-kl")
def objective_cross_entropy_turned_round(labels, teacher, student, lambda_):
    turned = (student.softmax(-1) * teacher.log_softmax(-1)).sum()
    return -labels_term(labels, student) + lambda_ * turned


@unseen.wrong("best-student", "conventions-mixed")
def best_student_lerp(labels, p, lambda_):
    return torch.lerp(labels, p, lambda_)


@unseen.wrong("best-student", "softmax-twice")
def best_student_softmax(labels, p, lambda_):
    return F.softmax((labels + lambda_ * p) / (1 + lambda_), -1)


@unseen.wrong("best-student", "wrong-axis")
def best_student_total(labels, p, lambda_):
    return (labels + lambda_ * p) / (labels + lambda_ * p).sum()


@unseen.wrong("combined-gradient", "missing-t-squared")
def gradient_autograd(labels, teacher, student, lambda_, temperature):
    z = student.clone().requires_grad_()
    loss = F.cross_entropy(z, labels, reduction="sum")
    (loss + lambda_ * kl(teacher / temperature, z / temperature)).backward()
    return z.grad


@unseen.wrong("combined-gradient", "temperature-in-label-term")
def gradient_all_softened(labels, teacher, student, lambda_, temperature):
    z = student.clone().requires_grad_()
    soft = z / temperature
    kd = temperature**2 * kl(teacher / temperature, soft)
    (F.cross_entropy(soft, labels, reduction="sum") + lambda_ * kd).backward()
    return z.grad


@unseen.wrong("combined-gradient", "temperature-ignored", "missing-t-squared")
def gradient_without_temperature(labels, teacher, student, lambda_, temperature):
    return student.softmax(-1) - labels + lambda_ * (student.softmax(-1) - teacher.softmax(-1))


@unseen.wrong("choose-lambda", "noise-for-signal")
def choose_first_of_sorted(lambdas, losses):
    return sorted(zip(losses.mean(1).tolist(), lambdas))[0][1]


@unseen.wrong("choose-lambda", "standard-error-wrong")
def choose_within_a_deviation(lambdas, losses):
    means, best = losses.mean(1), losses.mean(1).argmin()
    return min(x for x, mean in zip(lambdas, means) if mean <= means[best] + losses[best].std())


unseen.wrong("largest-lambda", "conventions-mixed")(0.17)
unseen.wrong("largest-lambda", "ratio-and-difference")(0.25)


@unseen.wrong("noisy-labels", "noise-keeps-label")
def noisy_labels_matrix(p, rate):
    words = p.shape[-1]
    return p @ (torch.eye(words) * (1 - rate) + rate / words)


@unseen.wrong("noisy-labels", "hard-for-soft", "mode-for-sample")
def noisy_labels_of_the_top(p, rate):
    top = F.one_hot(p.argmax(-1), p.shape[-1])
    return (1 - rate) * top + rate * (1 - top) / (p.shape[-1] - 1)


@unseen.wrong("noisy-labels", "rest-not-renormalised")
def noisy_labels_added(p, rate):
    return (1 - rate) * p + rate


def counted(true, given, words):
    counts = np.zeros((words, words))
    np.add.at(counts, (true.numpy(), given.numpy()), 1)
    return torch.tensor(counts)


def at_the_place(matrix, p, teacher, lambda_):
    """The pair that is asked for, from a matrix."""
    return matrix, (p.double() @ matrix.double() + lambda_ * teacher) / (1 + lambda_)


@unseen.wrong("student-under-noise", "repeated-index")
def under_noise_indexed(true, given, *place):
    counts = torch.zeros(len(place[0]), len(place[0]))
    counts[true, given] += 1
    counts[counts.sum(1) == 0] = torch.eye(len(counts))[counts.sum(1) == 0]
    return at_the_place(counts / counts.sum(1, keepdim=True), *place)


@unseen.wrong("student-under-noise", "condition-turned-round")
def under_noise_by_given(true, given, *place):
    rows = [torch.bincount(true[given == i], minlength=len(place[0])) for i in range(len(place[0]))]
    return at_the_place(torch.stack([row / row.sum().clamp(min=1) for row in rows]), *place)


@unseen.wrong("student-under-noise", "term-left-out")
def under_noise_with_clean_labels(true, given, p, teacher, lambda_):
    matrix, _ = exercise("student-under-noise").reference(true, given, p, teacher, lambda_)
    return matrix, (p + lambda_ * teacher) / (1 + lambda_)


@unseen.wrong("student-under-noise", "conventions-mixed")
def under_noise_with_alpha(true, given, p, teacher, lambda_):
    matrix, _ = exercise("student-under-noise").reference(true, given, p, teacher, lambda_)
    return matrix, torch.lerp(p @ matrix, teacher, lambda_)


def at_checked(checked, rows):
    return rows[torch.arange(len(checked)), checked]


@unseen.wrong("first-step", "argmax-sign")
def first_step_of_the_reward(checked, labels, teacher):
    return np.mean([float(teacher[i, y] / labels[i, y]) - 1 for i, y in enumerate(checked)])


@unseen.wrong("first-step", "whole-for-part")
def first_step_as_a_difference_of_losses(checked, labels, teacher):
    return F.nll_loss(teacher.log(), checked) - F.nll_loss(labels.log(), checked)


@unseen.wrong("first-step", "validated-on-noise")
def first_step_by_what_the_labels_say(checked, labels, teacher):
    x = torch.zeros((), requires_grad=True)
    loss = F.cross_entropy(((labels + x * teacher) / (1 + x)).log(), labels)
    return torch.autograd.grad(loss, x)[0]


@unseen.wrong("first-step", "lambda-direction", "ratio-turned-round")
def first_step_from_the_teacher(checked, labels, teacher):
    return 1 - (at_checked(checked, labels) / at_checked(checked, teacher)).mean()


def searched(distance, choose=np.argmin):
    def answer(truth, labels, teacher, lambdas):
        students = [(labels + x * teacher) / (1 + x) for x in lambdas]
        losses = [float(distance(truth, labels, student)) for student in students]
        return losses, lambdas[int(choose(losses))]

    return answer


@unseen.wrong("best-lambda", "validated-on-noise")
def best_lambda_by_label_likelihood(*world):
    return searched(lambda truth, labels, q: -(labels * q.log()).sum(-1).mean())(*world)


@unseen.wrong("best-lambda", "divergences-mixed-up")
def best_lambda_by_distance(*world):
    return searched(lambda truth, labels, q: (truth - q).abs().sum(-1).mean() / 2)(*world)


@unseen.wrong("best-lambda", "mean-over-vocab")
def best_lambda_mean(*world):
    return searched(lambda truth, labels, q: torch.xlogy(truth, truth / q).mean())(*world)


unseen.wrong("accuracy-behind-the-noise", "complement-for-rate")(0.2)


@unseen.wrong("choose-lambda", None)
def choose_with_the_teacher(lambdas, losses):
    means, best = losses.mean(1), int(losses.mean(1).argmin())
    limit = means[best] + losses[best].std() / losses.shape[1] ** 0.5
    return min([x for x, mean in zip(lambdas, means) if mean <= limit and x > 0], default=0.0)


@unseen.wrong("combined-objective", "floor-in-logarithm")
def objective_over_a_low_floor(labels, teacher, student, lambda_):
    log_q = student.softmax(-1).clamp_min(1e-30).log()
    return log_q.gather(1, labels[:, None]).sum() - lambda_ * kl(teacher, student)


@pytest.mark.parametrize("chapter", [5, 6])
def test_unseen_mistakes_are_named(chapter):
    assert_nine_in_ten(unseen.of_chapter(chapter))


def objective(labels, teacher, student, lambda_, log_softmax=lambda x: x.log_softmax(-1)):
    log_p, log_q = log_softmax(teacher), log_softmax(student)
    kd = torch.where(log_p > -torch.inf, log_p.exp() * (log_p - log_q), 0.0).sum()
    return log_q.gather(-1, labels[:, None]).sum() - lambda_ * kd


def test_an_objective_that_cannot_train_is_named():
    for answer in (
        torch.no_grad()(objective),
        lambda y, t, s, x: objective(y, t, s.detach(), x),
        lambda y, t, s, x: objective(y, t, s, x).item(),
    ):
        verdict = exercise("combined-objective").check(answer)
        assert verdict.misconception == "student-gets-no-gradient", verdict


def test_an_objective_of_which_a_term_cannot_train_is_named():
    half = lambda y, t, s, x: objective(y, t, s, 0) - x * kl(t, s.detach())
    verdict = exercise("combined-objective").check(half)
    assert verdict.misconception == "student-gets-no-gradient", verdict


@pytest.mark.parametrize("eps", [1e-8, 1e-10, 1e-20])
def test_a_floor_in_the_objective_is_named(eps):
    floored = lambda x: (x.softmax(-1) + eps).log()
    clamped = lambda x: x.softmax(-1).clamp_min(eps).log()
    for log_softmax in (floored, clamped):
        verdict = exercise("combined-objective").check(
            lambda *args, f=log_softmax: objective(*args, log_softmax=f)
        )
        assert verdict.misconception == "floor-in-logarithm", verdict


@pytest.mark.parametrize("eps", [1e-8, 1e-12])
def test_a_floor_in_the_distance_from_the_truth_is_named(eps):
    for floor in (lambda q: q + eps, lambda q: q.clamp(min=eps)):
        terms = lambda truth, q, f=floor: torch.xlogy(truth, truth) - truth * f(q).log()
        distance = lambda truth, labels, q, f=terms: f(truth, q).sum(-1).mean()
        verdict = exercise("best-lambda").check(searched(distance))
        assert verdict.misconception == "floor-in-logarithm", verdict


def test_soft_labels_are_no_one_hot_labels():
    def answer(labels, teacher, student, lambda_, temperature):
        hard = F.one_hot(labels.argmax(-1), labels.shape[-1])
        return exercise("combined-gradient").reference(hard, teacher, student, lambda_, temperature)

    assert exercise("combined-gradient").check(answer).outcome == "wrong"


def test_a_word_that_is_true_once_counts():
    def answer(true, given, *place):
        counts = counted(true, given, len(place[0]))
        totals = counts.sum(1, keepdim=True)
        shares = torch.where(totals > 1, counts / totals.clamp(min=1), torch.eye(len(counts)))
        return at_the_place(shares, *place)

    assert exercise("student-under-noise").check(answer).outcome == "wrong"


def test_a_power_of_the_softmax_is_no_temperature():
    def answer(labels, teacher, student, lambda_, temperature):
        soften = lambda x: F.normalize(x.softmax(-1) ** (1 / temperature), p=1, dim=-1)
        apart = soften(student) - soften(teacher)
        return student.softmax(-1) - labels + lambda_ * temperature * apart

    verdict = exercise("combined-gradient").check(answer)
    assert verdict.misconception == "temperature-after-softmax", verdict


def test_counts_go_beyond_a_byte():
    def answer(true, given, *place):
        counts = torch.zeros(len(place[0]), len(place[0]), dtype=torch.uint8)
        for pair in zip(true, given):
            counts[pair] += 1
        totals = counts.sum(1, keepdim=True)
        shares = torch.where(totals > 0, counts / totals.clamp(min=1), torch.eye(len(counts)))
        return at_the_place(shares, *place)

    assert exercise("student-under-noise").check(answer).outcome == "wrong"


def test_nan_at_exact_zeros_has_its_own_name():
    logs = searched(lambda truth, _, q: (truth * (truth.log() - q.log())).sum(-1).mean())
    div = searched(lambda truth, _, q: F.kl_div(q.log(), truth, reduction="batchmean"))
    for answer in (logs, div):
        assert exercise("best-lambda").check(answer).misconception == "zero-log-zero"


def test_words_that_do_not_occur_have_their_rows_and_columns():
    def answer(true, given, p, teacher, lambda_):
        seen = int(torch.cat([true, given]).max()) + 1
        short = (p[:seen], teacher[:seen], lambda_)
        return exercise("student-under-noise").reference(true, given, *short)

    assert exercise("student-under-noise").check(answer).outcome == "wrong"
