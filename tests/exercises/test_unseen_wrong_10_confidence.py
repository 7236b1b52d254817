"""Unseen mistakes of chapter 10's confidence loss, and right answers of other shapes."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from unseen import Unseen, assert_nine_in_ten, categoricals

from kdlib.exercises import exercise

unseen = Unseen()


def by_rows(weak, strong, alpha, *, whose=None, own=None, flip=False, mean=False):
    """Row by row; the right result, if nothing is said otherwise."""
    total = torch.tensor(0.0)
    for w, s in zip(weak.detach(), strong):
        p, log_q = w.softmax(0), s.log_softmax(0)
        liked = int(torch.argmax(s if whose is None else whose(w, s)))
        pull = -log_q[liked] if own is None else own(log_q, liked)
        a = 1 - alpha if flip else alpha
        total = total + (1 - a) * -(p @ log_q) + a * pull
    return total / len(weak) if mean else total


# ---------------------------------------------------------------- right


@unseen.right("confidence-loss")
def confidence_by_rows(weak_logits, strong_logits, alpha):
    return by_rows(weak_logits, strong_logits, alpha)


@unseen.right("confidence-loss")
def confidence_by_distributions(weak_logits, strong_logits, alpha):
    with torch.no_grad():
        p, _ = categoricals(weak_logits, strong_logits)
        target = (1 - alpha) * p.probs
        best = torch.topk(strong_logits, 1, dim=1).indices
        target.scatter_add_(1, best, torch.full(best.shape, float(alpha), dtype=target.dtype))
    student = torch.distributions.Categorical(logits=strong_logits.double())
    return -(target * student.logits).sum()


@unseen.right("confidence-loss")
def confidence_as_a_divergence_and_an_entropy(weak_logits, strong_logits, alpha):
    log_p = weak_logits.log_softmax(-1).detach()
    log_q = strong_logits.log_softmax(-1)
    kl = F.kl_div(log_q, log_p, reduction="sum", log_target=True)
    entropy = -(log_p.exp() * log_p).sum()
    own = F.nll_loss(log_q, strong_logits.max(1)[1], reduction="sum")
    return torch.lerp(kl + entropy, own, alpha)


# ---------------------------------------------------------------- wrong


@unseen.wrong("confidence-loss", "favourite-of-the-teacher")
def confidence_of_the_teacher(weak_logits, strong_logits, alpha):
    return by_rows(weak_logits, strong_logits, alpha, whose=lambda w, s: w)


@unseen.wrong("confidence-loss", "own-opinion-kept-soft", "entropy-for-cross-entropy")
def confidence_as_an_entropy(weak_logits, strong_logits, alpha):
    q = torch.softmax(strong_logits, dim=1)
    p = torch.softmax(weak_logits, dim=1).detach()
    return (1 - alpha) * -(p * q.log()).sum() + alpha * -(q * q.log()).sum()


@unseen.wrong("confidence-loss", "own-opinion-kept-soft")
def confidence_in_a_soft_target(weak_logits, strong_logits, alpha):
    p, q = torch.softmax(weak_logits, 1).detach(), torch.softmax(strong_logits, 1).detach()
    return F.cross_entropy(strong_logits, (1 - alpha) * p + alpha * q, reduction="sum")


@unseen.wrong("confidence-loss", "lambda-direction")
def confidence_turned_round(weak_logits, strong_logits, alpha):
    return by_rows(weak_logits, strong_logits, alpha, flip=True)


@unseen.wrong("confidence-loss", "mean-for-sum")
def confidence_averaged(weak_logits, strong_logits, alpha):
    own = F.one_hot(strong_logits.argmax(1), strong_logits.shape[1]).float()
    p = F.softmax(weak_logits.detach(), 1)
    return F.cross_entropy(strong_logits, torch.lerp(p, own, alpha))


@unseen.wrong("confidence-loss", "mean-for-sum")
def confidence_mean_by_rows(weak_logits, strong_logits, alpha):
    return by_rows(weak_logits, strong_logits, alpha, mean=True)


@unseen.wrong("confidence-loss", "kl-for-cross-entropy")
def confidence_with_kl(weak_logits, strong_logits, alpha):
    log_q = F.log_softmax(strong_logits, -1)
    kl = F.kl_div(log_q, F.softmax(weak_logits.detach(), -1), reduction="sum")
    return (1 - alpha) * kl + alpha * F.nll_loss(log_q, strong_logits.argmax(-1), reduction="sum")


@unseen.wrong("confidence-loss", "conventions-mixed")
def confidence_added(weak_logits, strong_logits, alpha):
    p = weak_logits.detach().softmax(-1)
    extra = F.cross_entropy(strong_logits, strong_logits.argmax(-1), reduction="sum")
    return F.cross_entropy(strong_logits, p, reduction="sum") + alpha * extra


@unseen.wrong("confidence-loss", "hard-for-soft")
def confidence_with_two_words(weak_logits, strong_logits, alpha):
    words = weak_logits.argmax(-1), strong_logits.argmax(-1)
    both = [F.cross_entropy(strong_logits, word, reduction="sum") for word in words]
    return (1 - alpha) * both[0] + alpha * both[1]


@unseen.wrong("confidence-loss", "teacher-gets-gradient")
def confidence_that_trains_both(weak_logits, strong_logits, alpha):
    target = (1 - alpha) * weak_logits.softmax(-1)
    target = target + alpha * F.one_hot(strong_logits.argmax(-1), strong_logits.shape[-1])
    return F.cross_entropy(strong_logits, target, reduction="sum")


@unseen.wrong("confidence-loss", "student-gets-no-gradient")
def confidence_as_a_number(weak_logits, strong_logits, alpha):
    return by_rows(weak_logits, strong_logits, alpha).item()


@unseen.wrong("confidence-loss", "floor-in-logarithm")
def confidence_with_a_floor(weak_logits, strong_logits, alpha):
    q = F.softmax(strong_logits, -1)
    log_q = (q + 1e-9).log()
    p = F.softmax(weak_logits.detach(), -1)
    return -(1 - alpha) * (p * log_q).sum() - alpha * log_q.amax(-1).sum()


@unseen.wrong("confidence-loss", "probs-for-log-probs")
def confidence_in_probabilities(weak_logits, strong_logits, alpha):
    return by_rows(
        weak_logits, strong_logits, alpha, own=lambda log_q, liked: 1 - log_q[liked].exp()
    )


@unseen.wrong("confidence-loss", "sign-flipped", "argmax-sign")
def confidence_punished(weak_logits, strong_logits, alpha):
    return by_rows(weak_logits, strong_logits, alpha, own=lambda log_q, liked: log_q[liked])


@unseen.wrong("confidence-loss", "softmax-twice")
def confidence_softened_twice(weak_logits, strong_logits, alpha):
    q = F.softmax(strong_logits, -1)
    p = F.softmax(weak_logits.detach(), -1)
    own = F.cross_entropy(q, q.argmax(-1), reduction="sum")
    return (1 - alpha) * F.cross_entropy(q, p, reduction="sum") + alpha * own


@pytest.mark.parametrize(("id", "answer"), unseen.answers, ids=lambda x: getattr(x, "__name__", x))
def test_unusual_right_answers_are_correct(id, answer):
    verdict = exercise(id).check(answer)
    assert verdict.outcome == "correct", verdict


def test_unseen_mistakes_are_named():
    assert_nine_in_ten(unseen.of_chapter(10))


def test_an_answer_in_numpy_is_told_that_nothing_reaches_the_student():
    def answer(weak_logits, strong_logits, alpha):
        log_q = strong_logits.detach().log_softmax(-1).numpy()
        p = weak_logits.detach().softmax(-1).numpy()
        own = np.take_along_axis(log_q, log_q.argmax(-1)[:, None], 1)
        return float(-(1 - alpha) * (p * log_q).sum() - alpha * own.sum())

    verdict = exercise("confidence-loss").check(answer)
    assert (verdict.outcome, verdict.misconception) == ("wrong", "student-gets-no-gradient")
