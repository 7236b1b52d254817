"""Unseen mistakes of chapter 10: nine in ten are named rightly."""

import pytest
import torch
import torch.nn.functional as F
from unseen import Unseen, assert_nine_in_ten

from kdlib.exercises import exercise

unseen = Unseen()


def kl(teacher, student, reduction="sum"):
    return F.kl_div(student.log_softmax(-1), teacher.softmax(-1), reduction=reduction)


def weak_to_strong(weak, strong, labels, lambda_, log_softmax=lambda x: x.log_softmax(-1)):
    log_p, log_q = log_softmax(weak.detach()), log_softmax(strong)
    truth = F.nll_loss(log_q, labels, ignore_index=-1, reduction="sum")
    return truth + lambda_ * (log_p.exp() * (log_p - log_q)).sum()


unseen.wrong("weak-to-strong-loss", "student-gets-no-gradient")(torch.no_grad()(weak_to_strong))


@unseen.wrong("weak-to-strong-loss", "student-gets-no-gradient")
def weak_to_strong_detached(weak, strong, labels, lambda_):
    return weak_to_strong(weak, strong.detach(), labels, lambda_)


@unseen.wrong("weak-to-strong-loss", "student-gets-no-gradient")
def weak_to_strong_as_a_number(*everything):
    return weak_to_strong(*everything).item()


@unseen.wrong("weak-to-strong-loss", "student-gets-no-gradient")
def weak_to_strong_taught_by_labels_alone(weak, strong, labels, lambda_):
    truth = weak_to_strong(weak, strong, labels, 0.0)
    return truth + lambda_ * kl(weak, strong).detach()


@unseen.wrong("weak-to-strong-loss", "floor-in-logarithm")
def weak_to_strong_floored(*everything):
    return weak_to_strong(*everything, lambda x: (x.softmax(-1) + 1e-8).log())


@unseen.wrong("weak-to-strong-loss", "floor-in-logarithm")
def weak_to_strong_clamped(*everything):
    return weak_to_strong(*everything, lambda x: x.log_softmax(-1).clamp_min(-30.0))


@unseen.wrong("weak-to-strong-loss", "mean-for-sum")
def weak_batchmean(weak, strong, labels, lambda_):
    truth = F.cross_entropy(strong, labels, ignore_index=-1, reduction="sum")
    return truth + lambda_ * kl(weak.detach(), strong, "batchmean")


@unseen.wrong("weak-to-strong-loss", "unlabelled-counted")
def weak_indexed(weak, strong, labels, lambda_):
    picked = strong.log_softmax(-1)[torch.arange(len(labels)), labels]
    return lambda_ * kl(weak.detach(), strong) - picked.sum()


@unseen.wrong("weak-to-strong-loss", "term-left-out", "unlabelled-counted")
def weak_labelled_only(weak, strong, labels, lambda_):
    known = labels >= 0
    truth = F.cross_entropy(strong[known], labels[known], reduction="sum")
    return truth + lambda_ * kl(weak.detach()[known], strong[known])


unseen.wrong("gap-recovered", "gap-to-the-wrong-end")(0.57)


@pytest.mark.filterwarnings("ignore:reduction")
def test_unseen_mistakes_are_named():
    assert_nine_in_ten(unseen.of_chapter(10))


def test_a_floor_under_a_label_is_named():
    def loss(weak, strong, labels, lambda_):
        given = labels >= 0
        log_q = (strong[given].softmax(-1) + 1e-8).log()
        truth = F.nll_loss(log_q, labels[given], reduction="sum")
        return truth + lambda_ * kl(weak.detach(), strong)

    verdict = exercise("weak-to-strong-loss").check(loss)
    assert verdict.misconception == "floor-in-logarithm", verdict
