"""Planted mistakes: the distance itself, its temperature, its zeros and its precision."""

import math

import scipy.special
import torch
import torch.nn.functional as F

from kdlib.losses import divergences
from kdlib.losses.divergences import cross_entropy, forward_kl
from planted import distillation, gradient, holds, mistake, random_logits, same

P, Q = torch.tensor([[[0.7, 0.2, 0.1]], [[0.6, 0.3, 0.1]]], dtype=torch.float64)
KL = 0.7 * math.log(7 / 6) + 0.2 * math.log(2 / 3)
CE = -0.7 * math.log(0.6) - 0.2 * math.log(0.3) - 0.1 * math.log(0.1)


def kl_of(log_q, log_p):
    return F.kl_div(log_q, log_p, log_target=True, reduction="none").sum(-1).mean()


# ---------------------------------------------------------------- which distance


def the_kl_is_that_of_the_book(loss):
    same(loss(Q.log(), P.log()), KL, "KL([.7, .2, .1] || [.6, .3, .1])")


@mistake("kl-reversed", the_kl_is_that_of_the_book, distillation)
def arguments_swapped(student, teacher):
    return kl_of(teacher.log_softmax(-1), student.log_softmax(-1))


@mistake("softmax-twice", the_kl_is_that_of_the_book, distillation)
def probabilities_as_logits(student, teacher):
    return distillation(student.softmax(-1), teacher.softmax(-1))


def a_certain_teacher_is_a_label(loss):
    teacher = torch.tensor([[100.0, 0.0, 0.0]])
    same(loss(Q.log(), teacher), -math.log(0.6), "the loss under a one-hot teacher")


@mistake("probs-for-log-probs", a_certain_teacher_is_a_label, distillation)
def kl_div_of_probabilities(student, teacher):
    return F.kl_div(student.softmax(-1), teacher.softmax(-1), reduction="batchmean")


def a_perfect_match_is_zero(loss):
    logits = random_logits(4, 6)
    same(loss(logits, logits), 0.0, "the distance at P = Q")


@mistake("ce-called-kl", a_perfect_match_is_zero, distillation)
def cross_entropy_reported(student, teacher):
    return F.cross_entropy(student, teacher.softmax(-1))


def never_negative(loss):
    for seed in range(20):
        student, teacher = random_logits(2, 4, 6, seed=seed)
        holds(loss(student, teacher) >= 0, "a distance is never negative")


@mistake("sign-flipped", never_negative, distillation)
def no_minus(student, teacher):
    return (teacher.softmax(-1) * student.log_softmax(-1)).sum(-1).mean()


def the_cross_entropy_is_that_of_the_book(loss):
    same(loss(P.log(), Q.log()), [CE], "CE([.7, .2, .1], [.6, .3, .1])")


@mistake("log-of-sum", the_cross_entropy_is_that_of_the_book, cross_entropy)
def log_outside(log_p, log_q):
    return -(log_p.exp() * log_q.exp()).sum(-1).log()


@mistake("top-entry-only", the_cross_entropy_is_that_of_the_book, cross_entropy)
def likeliest_token_alone(log_p, log_q):
    top = log_p.argmax(-1, keepdim=True)
    return -(log_p.exp() * log_q).gather(-1, top).squeeze(-1)


def a_fair_coin_has_log_2_nats(entropy):
    same(entropy(torch.tensor([0.5, 0.5]).log()), 0.693147, "the entropy of a fair coin")


@mistake("nats-for-bits", a_fair_coin_has_log_2_nats, divergences.entropy)
def entropy_in_bits(log_p):
    return -(log_p.exp() * log_p.exp().log2()).sum(-1)


# ---------------------------------------------------------------- zeros


def a_token_that_neither_has_counts_nothing(kl):
    log_p, log_q = (F.pad(probabilities, (0, 1)).log() for probabilities in (P, Q))
    same(kl(log_p, log_q), [KL], "the KL with a slot that is 0 on both sides")


@mistake("zero-log-zero", a_token_that_neither_has_counts_nothing, forward_kl)
def as_the_formula_is_printed(log_p, log_q):
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def missing_what_the_teacher_says_is_infinitely_bad(kl):
    log_p, log_q = torch.tensor([0.5, 0.5]).log(), torch.tensor([1.0, 0.0]).log()
    holds(kl(log_p, log_q) == math.inf, "Q = 0 where P > 0 is an infinite distance")


@mistake("zero-log-zero", missing_what_the_teacher_says_is_infinitely_bad, forward_kl)
def infinities_zeroed(log_p, log_q):
    terms = log_p.exp() * (log_p - log_q)
    return terms.nan_to_num(0, posinf=0, neginf=0).sum(-1)


# ---------------------------------------------------------------- temperature


def small_logits_give_one_gradient_at_any_temperature(loss):
    student, teacher = random_logits(2, 4, 6) / 4
    cold, hot = (gradient(loss, student, teacher, temperature=t).norm() for t in (1.0, 4.0))
    same(hot, cold, "the norm of the gradient at T = 4", rel=0.25)


@mistake("missing-t-squared", small_logits_give_one_gradient_at_any_temperature, distillation)
def without_t_squared(student, teacher, temperature):
    return kl_of((student / temperature).log_softmax(-1), (teacher / temperature).log_softmax(-1))


def a_high_temperature_matches_logits(loss):
    student, teacher = random_logits(2, 4, 6)
    limit = (teacher - student).var(-1, correction=0).mean() / 2
    same(loss(student, teacher, temperature=1000.0), limit, "the loss at T = 1000", rel=0.01)


@mistake("temperature-inverted", a_high_temperature_matches_logits, distillation)
def multiplied(student, teacher, temperature):
    return distillation(student, teacher, temperature=1 / temperature)


@mistake("temperature-ignored", a_high_temperature_matches_logits, distillation)
def not_used(student, teacher, temperature):
    return kl_of(student.log_softmax(-1), teacher.log_softmax(-1))


@mistake("temperature-after-softmax", a_high_temperature_matches_logits, distillation)
def probabilities_divided(student, teacher, temperature):
    q, p = student.softmax(-1) / temperature, teacher.softmax(-1) / temperature
    return (p * (p / q).log()).sum(-1).mean() * temperature**2


def a_perfect_match_is_zero_at_any_temperature(loss):
    logits = random_logits(4, 6)
    same(loss(logits, logits, temperature=3.0), 0.0, "the distance at P = Q and T = 3")


@mistake("temperature-one-side", a_perfect_match_is_zero_at_any_temperature, distillation)
def teacher_softened_alone(student, teacher, temperature):
    log_p = (teacher / temperature).log_softmax(-1)
    return kl_of(student.log_softmax(-1), log_p) * temperature**2


# ---------------------------------------------------------------- softmax


def each_position_stands_alone(loss):
    student, teacher = random_logits(2, 3, 5, 4)
    one_by_one = [
        loss(student[i : i + 1, j : j + 1], teacher[i : i + 1, j : j + 1])
        for i in range(3)
        for j in range(5)
    ]
    same(loss(student, teacher), sum(one_by_one) / 15, "the mean over positions")


@mistake("softmax-wrong-axis", each_position_stands_alone, distillation)
def over_the_positions(student, teacher):
    return kl_of(student.log_softmax(1), teacher.log_softmax(1))


def large_logits_do_not_matter(loss):
    student, teacher = random_logits(2, 4, 6)
    same(loss(student + 1000, teacher - 1000), loss(student, teacher), "the loss of shifted logits")


@mistake("softmax-overflow", large_logits_do_not_matter, distillation)
def exponentials_as_defined(student, teacher):
    q, p = (x.exp() / x.exp().sum(-1, keepdim=True) for x in (student, teacher))
    return (p * (p / q).log()).sum(-1).mean()


def a_small_kl_survives_bfloat16_logits(loss):
    teacher = random_logits(1, 128_000).bfloat16()
    student = (teacher + 0.045 * random_logits(1, 128_000, seed=1)).bfloat16()
    p, q = (scipy.special.softmax(x.double().numpy()) for x in (teacher, student))
    expected = scipy.special.kl_div(p, q).sum()
    same(loss(student, teacher), expected, "a KL of 1e-3 over 128,000 tokens", rel=0.01)


@mistake("half-precision-softmax", a_small_kl_survives_bfloat16_logits, distillation)
def logits_as_they_come(student, teacher):
    return kl_of(student.log_softmax(-1).float(), teacher.log_softmax(-1).float())
