"""Unseen mistakes of chapters 3 and 4: nine in ten are named rightly."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.distributions import Categorical, kl_divergence
from unseen import Unseen, assert_nine_in_ten

from kdlib.exercises import exercise

unseen = Unseen()


def cross_entropy(log_p, log_q):
    return -torch.where(log_p > -math.inf, log_p.exp() * log_q, 0.0).sum(-1)


@unseen.wrong("sequence-cross-entropy", "batch-for-row")
def f2_default_reduction(log_p, log_q):
    return F.cross_entropy(log_q, log_p.exp())


@unseen.wrong("sequence-cross-entropy", "softmax-twice")
def f2_of_probabilities_as_logits(log_p, log_q):
    return F.cross_entropy(log_q.exp(), log_p.exp(), reduction="none")


@unseen.wrong("sequence-cross-entropy", "floor-in-logarithm")
def f2_with_a_floor(log_p, log_q):
    return -(log_p.exp() * (log_q.exp() + 1e-10).log()).sum(-1)


@unseen.wrong("longest-that-fits", "float-logarithm")
def longest_log2(vocabulary, terms):
    return math.log2(terms) // math.log2(vocabulary)


@unseen.wrong("longest-that-fits", "whole-for-part")
def longest_of_all_lengths(vocabulary, terms):
    length, total = 0, 0
    while total + vocabulary ** (length + 1) <= terms:
        length += 1
        total += vocabulary**length
    return length


@unseen.wrong("chain-rule-loss", "hard-for-soft")
def chain_greedy(log_p1, log_p2, log_q1, log_q2):
    first = log_p1.argmax()
    return -log_q1[first] - log_q2[first, log_p2[first].argmax()]


@unseen.wrong("chain-rule-loss", "weights-missing")
def chain_mean_of_rows(log_p1, log_p2, log_q1, log_q2):
    return cross_entropy(log_p1, log_q1) + cross_entropy(log_p2, log_q2).mean()


@unseen.wrong("sampled-loss", "weighted-twice")
def sampled_normalised_weights(log_p, log_q):
    weights = log_p.exp() / log_p.exp().sum()
    return -(weights * log_q).sum(), log_q.std() / len(log_q) ** 0.5


@unseen.wrong("sampled-loss", "standard-error-wrong")
def sampled_corrected_twice(log_p, log_q):
    return -log_q.mean(), log_q.std() / (len(log_q) - 1) ** 0.5


@unseen.wrong("best-output-loss", "kl-for-cross-entropy")
def best_log_ratio(log_p, log_q):
    best = log_p.argmax(1, keepdim=True)
    ratio = (log_p - log_q).gather(1, best)[:, 0]
    return ratio, 1 - log_p.gather(1, best)[:, 0].exp()


@unseen.wrong("best-output-loss", "wrong-word")
def best_is_last(log_p, log_q):
    return -log_q[:, -1], 1 - log_p[:, -1].exp()


@unseen.wrong("kl-of-rows", "zero-log-zero")
def kl_of_clamped(log_p, log_q):
    return (log_p.exp() * (log_p.clamp(min=-50) - log_q.clamp(min=-50))).sum(-1)


@unseen.wrong("kl-of-rows", "divergences-mixed-up")
def kl_as_squared_distance(log_p, log_q):
    return (log_p.exp() - log_q.exp()).square().sum(-1)


@unseen.wrong("kl-of-rows", "hard-for-soft")
def kl_of_the_top_ratio(log_p, log_q):
    return log_p.amax(-1) - log_q.gather(-1, log_p.argmax(-1, keepdim=True))[..., 0]


@unseen.wrong("two-fits", "divergences-mixed-up")
def fits_by_squares(log_p, log_candidates):
    return (int((log_candidates.exp() - log_p.exp()).square().sum(-1).argmin()),) * 2


@unseen.wrong("two-fits", "ce-called-kl")
def fits_by_cross_entropies(log_p, log_candidates):
    p = log_p.expand_as(log_candidates)
    return cross_entropy(p, log_candidates).argmin(), cross_entropy(log_candidates, p).argmin()


@unseen.wrong("logit-gradients", "mean-for-sum")
def gradients_batchmean(log_p, logits):
    def gradient(divergence):
        return torch.func.grad(lambda z: divergence(torch.log_softmax(z, -1)))(logits)

    how = {"log_target": True, "reduction": "batchmean"}
    return (
        gradient(lambda log_q: F.kl_div(log_q, log_p, **how)),
        gradient(lambda log_q: F.kl_div(log_p, log_q, **how)),
    )


@unseen.wrong("logit-gradients", "student-gets-no-gradient")
def gradients_with_detached_weights(log_p, logits):
    z = logits.clone().requires_grad_()
    log_q = torch.log_softmax(z, -1)
    forward = (log_p.exp() * (log_p - log_q)).sum()
    reverse = (log_q.exp().detach() * (log_q - log_p)).sum()
    return [torch.autograd.grad(loss, z, retain_graph=True)[0] for loss in (forward, reverse)]


@unseen.wrong("mixture-divergence", "argument-ignored", "mixture-wrong")
def mixture_js(log_p, log_q, beta):
    p, q = log_p.exp(), log_q.exp()
    m = (p + q) / 2
    return sum(torch.special.xlogy(x, x / m).sum(-1) for x in (p, q)) / 2


@unseen.wrong("mixture-divergence", "term-left-out")
def mixture_students_part(log_p, log_q, beta):
    p, q = log_p.exp(), log_q.exp()
    return (1 - beta) * torch.special.xlogy(q, q / (beta * p + (1 - beta) * q)).sum(-1)


@unseen.wrong("kl-over-tokens", "half-precision-softmax")
def kl_over_tokens_distributions(teacher, student, tokens):
    p, q = (Categorical(logits=x[:, :tokens]) for x in (teacher, student))
    return kl_divergence(p, q).float()


@unseen.wrong("kl-over-tokens", "unused-slots-counted", "rest-not-renormalised")
def kl_over_tokens_common(teacher, student, tokens):
    width = min(teacher.shape[1], student.shape[1])
    p, log_q = teacher[:, :width].float().softmax(-1), student[:, :width].float().log_softmax(-1)
    return F.kl_div(log_q, p, reduction="none").sum(-1)


unseen.wrong("loss-of-two-translations", "sign-flipped")("-0.136")
unseen.wrong("worst-skew-kl", "divergences-mixed-up")("0.693")
unseen.wrong("worst-skew-kl", "nats-for-bits")(np.log2(10))


@unseen.wrong("sequence-cross-entropy", "zero-log-zero")
def f2_of_likely_outputs(log_p, log_q):
    return -(log_p.exp() * log_q.masked_fill(log_p < -20, 0)).sum(-1)


@unseen.wrong("best-output-loss", "ties-counted-twice")
def f4_of_all_favourites(log_p, log_q):
    best = log_p == log_p.max(-1, keepdim=True).values
    return -torch.where(best, log_q, 0.0).sum(-1), 1 - log_p.max(-1).values.exp()


@unseen.wrong("kl-of-rows", "zero-log-zero")
def rows_of_likely_words(log_p, log_q):
    return torch.where(log_p < -8, 0.0, log_p.exp() * (log_p - log_q)).sum(-1)


@unseen.wrong("two-fits", "zero-log-zero")
def fits_over_a_low_floor(log_p, candidates):
    forward = (log_p.exp() * (log_p.clamp_min(-100) - candidates.clamp_min(-100))).sum(-1)
    reverse = torch.where(candidates > -math.inf, candidates.exp() * (candidates - log_p), 0.0)
    return int(forward.argmin()), int(reverse.sum(-1).argmin())


@unseen.wrong("mixture-divergence", None)
def mixture_of_tenths(log_p, log_q, beta):
    beta = max(round(beta, 1), 0.1)
    p, q = log_p.exp(), log_q.exp()
    centre = torch.special.entr(beta * p + (1 - beta) * q)
    return (centre - beta * torch.special.entr(p) - (1 - beta) * torch.special.entr(q)).sum(-1)


@unseen.wrong("kl-over-tokens", None)
def tokens_over_a_mask_of_minus_30(teacher, student, tokens):
    masked = (
        x.double().index_fill(1, torch.arange(tokens, x.shape[1]), -30.0).log_softmax(-1)
        for x in (teacher, student)
    )
    log_p, log_q = (x[:, :tokens] for x in masked)
    return (log_p.exp() * (log_p - log_q)).sum(-1)


@pytest.mark.filterwarnings("ignore:reduction")
@pytest.mark.parametrize("chapter", [3, 4])
def test_unseen_mistakes_are_named(chapter):
    assert_nine_in_ten(unseen.of_chapter(chapter))


STUDENTS = {  # the arguments that hold the student's log-probabilities
    "sequence-cross-entropy": (1,),
    "chain-rule-loss": (2, 3),
    "sampled-loss": (1,),
    "best-output-loss": (1,),
}


def with_changed(id, places, change):
    """The reference; the arguments at these places are changed before."""
    reference = exercise(id).reference
    return lambda *args: reference(*(change(x) if i in places else x for i, x in enumerate(args)))


def as_numbers(result):
    return tuple(x.tolist() for x in result) if isinstance(result, tuple) else result.tolist()


@pytest.mark.parametrize("id", STUDENTS)
def test_a_loss_that_cannot_train_is_named(id):
    reference, places = exercise(id).reference, STUDENTS[id]
    cut_off = [
        torch.no_grad()(reference),
        torch.inference_mode()(reference),
        with_changed(id, places, torch.Tensor.detach),
        with_changed(id, places[-1:], torch.Tensor.detach),
        lambda *args: as_numbers(reference(*args)),
        with_changed(id, places, lambda x: torch.from_numpy(x.numpy())),
    ]
    for answer in cut_off:
        verdict = exercise(id).check(answer)
        assert verdict.misconception == "student-gets-no-gradient", verdict


def test_of_a_loss_that_cannot_train_the_other_mistake_is_said_first():
    verdict = exercise("sequence-cross-entropy").check(lambda p, q: cross_entropy(q, p).tolist())
    assert verdict.misconception == "kl-reversed"


FLOORS = {
    "1e-8 added": lambda log: (log.exp() + 1e-8).log(),
    "1e-12 added": lambda log: (log.exp() + 1e-12).log(),
    "at least 1e-9": lambda log: log.exp().clamp_min(1e-9).log(),
    "at least -20": lambda log: log.clamp(min=-20),
}


@pytest.mark.parametrize("floor", FLOORS)
@pytest.mark.parametrize("id", [*STUDENTS, "kl-of-rows"])
def test_a_floor_in_the_logarithm_is_named(id, floor):
    answer = with_changed(id, STUDENTS.get(id, (1,)), FLOORS[floor])
    verdict = exercise(id).check(answer)
    assert verdict.misconception == "floor-in-logarithm", verdict


@pytest.mark.parametrize("floor", FLOORS)
def test_a_floor_that_changes_a_fit_or_a_gradient_is_wrong(floor):
    answer = with_changed("logit-gradients", (0,), FLOORS[floor])
    assert exercise("logit-gradients").check(answer).misconception == "floor-in-logarithm"
    answer = with_changed("two-fits", (0, 1), FLOORS[floor])
    assert exercise("two-fits").check(answer).outcome == "wrong"


def test_no_nan_is_said_to_win_where_zeros_are_clamped():
    naive = lambda p, q: (p.exp() * (p - q)).sum(-1).argmin()
    clamp = lambda x: x.clamp(min=-20)
    verdict = exercise("two-fits").check(
        lambda p, q: (naive(clamp(p), clamp(q)), naive(clamp(q), clamp(p)))
    )
    assert verdict.misconception == "zero-log-zero" and "NaN" not in verdict.seen


def test_a_logarithm_with_something_added_is_still_rounded():
    answer = lambda vocabulary, terms: math.floor(math.log(terms, vocabulary) + 1e-9)
    assert exercise("longest-that-fits").check(answer).misconception == "float-logarithm"
