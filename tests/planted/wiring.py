"""Planted mistakes: who learns, from which targets, and how strongly."""

import torch
import torch.nn.functional as F

from kdlib.losses.closed_forms import best_student
from kdlib.losses.distillation import distillation_loss
from kdlib.losses.divergences import forward_kl
from kdlib.losses.objectives import Objective, lambda_of_alpha
from planted import distillation, gradient, holds, mistake, random_logits, same


def log_softmaxes(*logits):
    return [x.log_softmax(-1) for x in logits]


# ---------------------------------------------------------------- who learns


def only_the_student_learns(loss):
    student, teacher = (x.clone().requires_grad_() for x in random_logits(2, 3, 5))
    value = loss(student, teacher)
    holds(value.requires_grad, "the loss depends on something that learns")
    value.backward()
    holds(student.grad is not None and student.grad.norm() > 0.1, "the student gets a gradient")
    holds(teacher.grad is None, "the teacher gets none")


@mistake("teacher-gets-gradient", only_the_student_learns, distillation)
def teacher_in_the_graph(student, teacher):
    log_q, log_p = log_softmaxes(student, teacher)
    return forward_kl(log_p, log_q).mean()


@mistake("student-gets-no-gradient", only_the_student_learns, distillation)
def student_protected_too(student, teacher):
    with torch.no_grad():
        log_q, log_p = log_softmaxes(student, teacher)
    return forward_kl(log_p, log_q).mean()


@mistake("teacher-used-as-student", only_the_student_learns, distillation)
def one_name_on_both_sides(student, teacher):
    student = teacher
    return distillation(student, teacher)


# ---------------------------------------------------------------- from which targets


def a_batch_is_the_mean_of_its_rows(loss):
    student, teacher = random_logits(2, 4, 3, 5)
    rows = [loss(student[i : i + 1], teacher[i : i + 1]) for i in range(4)]
    same(loss(student, teacher), sum(rows) / 4, "the loss of a batch of equal rows")


@mistake("rows-shuffled", a_batch_is_the_mean_of_its_rows, distillation)
def cache_in_another_order(student, teacher):
    cached = teacher[torch.argsort(teacher[:, 0, 0])]
    return distillation(student, cached)


def the_gradient_is_student_minus_teacher(loss):
    student, teacher = random_logits(2, 1, 5)
    for sharpness in (8.0, 1.0, 0.0):
        found = gradient(loss, student, sharpness * teacher)
        expected = student.softmax(-1) - (sharpness * teacher).softmax(-1)
        same(found, expected, f"the gradient under a teacher sharpened {sharpness} times")


@mistake("hard-for-soft", the_gradient_is_student_minus_teacher, distillation)
def the_argmax_as_label(student, teacher):
    return F.cross_entropy(student, teacher.argmax(-1))


ZIPF = -torch.arange(1, 101, dtype=torch.float64).log()[None]


def the_teacher_has_nothing_to_learn(loss):
    found = gradient(loss, ZIPF, ZIPF)
    same(found, torch.zeros_like(found), "the gradient where the student equals a Zipf teacher")


@mistake("top-k-renormalised", the_teacher_has_nothing_to_learn, distillation)
def head_scaled_to_one(student, teacher, k=10):
    top = teacher.topk(k)
    log_q = student.log_softmax(-1).gather(-1, top.indices)
    return forward_kl(top.values.log_softmax(-1), log_q).mean()


def a_distance_is_not_negative_for_a_flatter_teacher(loss):
    teacher, student = (
        torch.tensor([p]).log() for p in ([0.4, 0.3, 0.2, 0.1], [0.45, 0.35, 0.1, 0.1])
    )
    holds(loss(student, teacher) >= 0, "a distance is never negative")


@mistake("top-k-unnormalised", a_distance_is_not_negative_for_a_flatter_teacher, distillation)
def head_as_it_is(student, teacher, k=2):
    log_p, top = teacher.log_softmax(-1).topk(k)
    return forward_kl(log_p, student.log_softmax(-1).gather(-1, top)).mean()


def widened(student, teacher, slots=0):
    student, teacher = (F.pad(x, (0, slots), value=-torch.inf) for x in (student, teacher))
    return distillation(student, teacher)


def slots_that_do_not_exist_change_nothing(loss):
    student, teacher = random_logits(2, 3, 5) - 8  # a usual mean of real logits
    same(loss(student, teacher, slots=3), loss(student, teacher), "the loss with 3 more slots")


@mistake("vocab-padded-with-zero", slots_that_do_not_exist_change_nothing, widened)
def filled_with_zeros(student, teacher, slots=0):
    return distillation(F.pad(student, (0, slots)), F.pad(teacher, (0, slots)))


# ---------------------------------------------------------------- how strongly


def weighed(build):
    def loss(student, teacher, labels, weight):
        return distillation_loss(student, teacher, labels, objective=build(weight)).mean

    return loss


by_lambda, by_alpha = weighed(Objective.from_lambda), weighed(Objective.from_alpha)


def rests_at_the_closed_form(loss, weight, lambda_):
    teacher = random_logits(1, 5)
    best = best_student(F.one_hot(torch.tensor([2]), 5), teacher.softmax(-1), lambda_)
    found = gradient(loss, best.log(), teacher, torch.tensor([2]), weight)
    same(found, torch.zeros_like(found), f"the gradient at the optimum for weight {weight}")


def a_larger_lambda_trusts_the_teacher_more(loss):
    for lambda_ in (0.25, 4.0):
        rests_at_the_closed_form(loss, lambda_, lambda_)


@mistake("lambda-direction", a_larger_lambda_trusts_the_teacher_more, by_lambda)
def lambda_on_the_labels(student, teacher, labels, lambda_):
    return lambda_ * F.cross_entropy(student, labels) + distillation(student, teacher)


def a_larger_alpha_trusts_the_teacher_more(loss):
    for alpha in (0.2, 0.8):
        rests_at_the_closed_form(loss, alpha, lambda_of_alpha(alpha))


@mistake("lambda-direction", a_larger_alpha_trusts_the_teacher_more, by_alpha)
def alpha_on_the_labels(student, teacher, labels, alpha):
    hard = F.cross_entropy(student, labels)
    return alpha * hard + (1 - alpha) * distillation(student, teacher)


def a_step_leads_to_the_teacher(loss):
    student, teacher = random_logits(2, 4, 5)
    labels = teacher.argmax(-1)
    moved = student - 0.1 * gradient(loss, student, teacher, labels, 5.0)
    before, after = distillation(student, teacher), distillation(moved, teacher)
    holds(after < before, "a small step brings the student closer to the teacher")


@mistake("argmax-sign", a_step_leads_to_the_teacher, by_lambda)
def minus_lambda_as_in_the_maximised_form(student, teacher, labels, lambda_):
    return F.cross_entropy(student, labels) - lambda_ * distillation(student, teacher)
