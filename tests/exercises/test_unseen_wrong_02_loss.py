"""Unseen mistakes in the distillation loss of chapter 2: nine in ten are named rightly."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.special import log_softmax as scipy_log_softmax
from torch.distributions import Categorical, kl_divergence
from unseen import Unseen, assert_nine_in_ten, categoricals

unseen = Unseen()


@unseen.wrong("distillation-loss", "missing-t-squared")
def loss_plain(t, s, temperature):
    words = t.shape[-1]
    return F.kl_div(
        F.log_softmax(s / temperature, -1).view(-1, words),
        F.softmax(t / temperature, -1).view(-1, words),
        reduction="batchmean",
    )


@unseen.wrong("distillation-loss", "batchmean-over-sequences")
def loss_hinton(t, s, temperature):
    kl = F.kl_div(
        F.log_softmax(s / temperature, -1), F.softmax(t / temperature, -1), reduction="batchmean"
    )
    return kl * temperature**2


@unseen.wrong("distillation-loss", "batchmean-over-sequences", "missing-t-squared")
def loss_two_mistakes(t, s, temperature):
    return F.kl_div(
        F.log_softmax(s / temperature, -1), F.softmax(t / temperature, -1), reduction="batchmean"
    )


@unseen.wrong("distillation-loss", "mean-over-vocab")
def loss_default_reduction(t, s, temperature):
    return (
        F.kl_div(F.log_softmax(s / temperature, -1), F.softmax(t / temperature, -1))
        * temperature**2
    )


@unseen.wrong("distillation-loss", "mean-over-vocab", "missing-t-squared")
def loss_default_unscaled(t, s, temperature):
    return F.kl_div(F.log_softmax(s / temperature, -1), F.softmax(t / temperature, -1))


@unseen.wrong("distillation-loss", "kl-reversed")
def loss_swapped(t, s, temperature):
    return (
        kl_divergence(
            Categorical(logits=s / temperature), Categorical(logits=t / temperature)
        ).mean()
        * temperature**2
    )


@unseen.wrong("distillation-loss", "kl-reversed", "missing-t-squared")
def loss_swapped_unscaled(t, s, temperature):
    return kl_divergence(
        Categorical(logits=s / temperature), Categorical(logits=t / temperature)
    ).mean()


@unseen.wrong("distillation-loss", "probs-for-log-probs")
def loss_softmax_in_kl_div(t, s, temperature):
    words = t.shape[-1]
    q = F.softmax(s / temperature, -1).view(-1, words)
    p = F.softmax(t / temperature, -1).view(-1, words)
    return F.kl_div(q, p, reduction="batchmean") * temperature**2


@unseen.wrong("distillation-loss", "ce-called-kl")
def loss_soft_cross_entropy(t, s, temperature):
    words = t.shape[-1]
    p = F.softmax(t / temperature, -1).view(-1, words)
    return F.cross_entropy((s / temperature).view(-1, words), p) * temperature**2


@unseen.wrong("distillation-loss", "temperature-one-side")
def loss_only_student_soft(t, s, temperature):
    p, q = F.log_softmax(t, -1), F.log_softmax(s / temperature, -1)
    return (p.exp() * (p - q)).sum(-1).mean() * temperature**2


@unseen.wrong("distillation-loss", "hard-for-soft")
def loss_argmax(t, s, temperature):
    words = t.shape[-1]
    return F.cross_entropy(s.view(-1, words), t.argmax(-1).view(-1))


@unseen.wrong("distillation-loss", "missing-t-squared", "sum-for-mean")
def loss_sum_unscaled(t, s, temperature):
    return F.kl_div(
        (s / temperature).log_softmax(-1), (t / temperature).softmax(-1), reduction="sum"
    )


@unseen.wrong("distillation-loss", "missing-t-squared", "ce-called-kl")
def loss_cross_entropy_unscaled(t, s, temperature):
    p, log_q = (t / temperature).softmax(-1), (s / temperature).log_softmax(-1)
    return -(p * log_q).sum(-1).mean()


@unseen.wrong("distillation-loss", "missing-t-squared", "temperature-one-side")
def loss_one_side_unscaled(t, s, temperature):
    p, log_q = (t / temperature).softmax(-1), s.log_softmax(-1)
    return F.kl_div(log_q, p, reduction="none").sum(-1).mean()


def softened(t, s, temperature, log):
    """The loss with another logarithm of the softmax."""
    log_p, log_q = log((t / temperature).softmax(-1)), log((s / temperature).softmax(-1))
    return temperature**2 * (log_p.exp() * (log_p - log_q)).sum(-1).mean()


@unseen.wrong("distillation-loss", "floor-in-logarithm")
def loss_with_epsilon(t, s, temperature):
    return softened(t, s, temperature, lambda q: (q + 1e-8).log())


@unseen.wrong("distillation-loss", "floor-in-logarithm")
def loss_with_a_tiny_epsilon(t, s, temperature):
    return softened(t, s, temperature, lambda q: (q + 1e-12).log())


@unseen.wrong("distillation-loss", "floor-in-logarithm")
def loss_of_clamped_probabilities(t, s, temperature):
    return softened(t, s, temperature, lambda q: q.clamp_min(1e-9).log())


@unseen.wrong("distillation-loss", "floor-in-logarithm")
def loss_of_clamped_logarithms(t, s, temperature):
    return softened(t, s, temperature, lambda q: q.log().clamp_min(-80))


@unseen.wrong("distillation-loss", "softmax-overflow")
def loss_with_a_plain_logarithm(t, s, temperature):
    p, log_q = (t / temperature).softmax(-1), (s / temperature).softmax(-1).log()
    return temperature**2 * F.kl_div(log_q, p, reduction="none").sum(-1).mean()


@unseen.wrong("distillation-loss", "student-gets-no-gradient")
def loss_under_no_grad(t, s, temperature):
    with torch.no_grad():
        return (
            temperature**2 * kl_divergence(*categoricals(t / temperature, s / temperature)).mean()
        )


@unseen.wrong("distillation-loss", "student-gets-no-gradient")
def loss_of_a_detached_student(t, s, temperature):
    kl = kl_divergence(*categoricals(t / temperature, s.detach() / temperature))
    return temperature**2 * kl.mean()


@unseen.wrong("distillation-loss", "student-gets-no-gradient")
def loss_as_a_number(t, s, temperature):
    return temperature**2 * float(
        kl_divergence(*categoricals(t / temperature, s / temperature)).mean()
    )


@unseen.wrong("distillation-loss", "student-gets-no-gradient")
def loss_in_numpy(t, s, temperature):
    log_p, log_q = (scipy_log_softmax(np.asarray(x) / temperature, axis=-1) for x in (t, s))
    return temperature**2 * (np.exp(log_p) * (log_p - log_q)).sum(-1).mean()


@pytest.mark.filterwarnings("ignore:reduction")
def test_unseen_mistakes_are_named():
    assert_nine_in_ten(unseen.of_chapter(2))
