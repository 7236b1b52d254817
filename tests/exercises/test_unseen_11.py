"""Chapter 11: unusual right answers all pass, unseen mistakes are named rightly, nine in ten."""

import numpy as np
import pytest
import torch
from torch.distributions import Categorical
from unseen import Unseen, assert_nine_in_ten

from kdlib.exercises import exercise

unseen = Unseen()


@unseen.right("share-kept")
def kept_in_numpy(log_p, log_q):
    return np.minimum(np.exp(log_p.numpy()), np.exp(log_q.numpy())).sum(axis=-1)


@unseen.right("share-kept")
def kept_from_what_exceeds(log_p, log_q):
    return 1 - torch.relu(log_q.exp() - log_p.exp()).sum(-1)


@unseen.right("share-kept")
def kept_in_the_logarithm(log_p, log_q):
    return torch.logsumexp(torch.minimum(log_p, log_q), dim=-1).exp()


@unseen.right("share-kept")
def kept_pair_by_pair(log_p, log_q):
    pairs = torch.stack([log_p, log_q]).exp()
    return pairs.amin(0).sum(-1)


@unseen.right("in-its-place")
def place_in_numpy(log_p, log_q):
    p, q = np.exp(log_p.numpy()), np.exp(log_q.numpy())
    missing = np.maximum(p - q, 0)
    total = missing.sum(-1, keepdims=True)
    return np.where(total == 0, p, missing / np.where(total == 0, 1, total))


@unseen.right("in-its-place")
def place_of_a_categorical(log_p, log_q):
    p, q = log_p.exp(), log_q.exp()
    missing = torch.relu(p - q)
    same = missing.sum(-1, keepdim=True) == 0
    return Categorical(probs=torch.where(same, p, missing)).probs


@unseen.wrong("share-kept", "divergences-mixed-up")
def kept_as_the_distance(log_p, log_q):
    return 0.5 * (log_p.exp() - log_q.exp()).abs().sum(-1)


@unseen.wrong("share-kept", "index-for-value", "divergences-mixed-up")
def kept_with_the_larger(log_p, log_q):
    return torch.maximum(log_p, log_q).exp().sum(-1)


@unseen.wrong("share-kept", "weighed-by-student")
def kept_by_two_draws(log_p, log_q):
    return (log_p + log_q).exp().sum(-1)


@unseen.wrong("share-kept", "top-entry-only", "top-1-for-match")
def kept_of_the_favourite(log_p, log_q):
    best = log_p.max(-1)
    return torch.minimum(best.values, log_q.gather(-1, best.indices[..., None])[..., 0]).exp()


@unseen.wrong("share-kept", "batch-for-row")
def kept_on_the_whole(log_p, log_q):
    return torch.minimum(log_p, log_q).exp().sum()


@unseen.wrong("share-kept", "mean-over-vocab")
def kept_on_average(log_p, log_q):
    return torch.minimum(log_p, log_q).exp().mean(dim=-1)


@unseen.wrong("share-kept", "log-for-probability")
def kept_of_logarithms(log_p, log_q):
    return torch.minimum(log_p, log_q).sum(-1)


@unseen.wrong("in-its-place", "teacher-taken-for-truth")
def place_is_the_teachers(log_p, log_q):
    return torch.softmax(log_p, -1)


@unseen.wrong("in-its-place", "rest-not-renormalised")
def place_that_lacks_a_sum(log_p, log_q):
    p, q = log_p.exp(), log_q.exp()
    missing = torch.where(p > q, p - q, 0.0)
    return torch.where(missing.sum(-1, keepdim=True) > 0, missing, p)


@unseen.wrong("in-its-place", "kl-reversed")
def place_turned_round(log_p, log_q):
    p, q = log_p.exp(), log_q.exp()
    missing = torch.relu(q - p)
    total = missing.sum(-1, keepdim=True)
    return torch.where(total > 0, missing / total.clamp(min=1e-30), p)


@unseen.wrong("in-its-place", "divided-twice")
def place_without_a_guard(log_p, log_q):
    missing = torch.relu(log_p.exp() - log_q.exp())
    return missing / missing.sum(-1, keepdim=True)


@unseen.wrong("in-its-place", "sign-flipped")
def place_of_all_differences(log_p, log_q):
    p, q = log_p.exp(), log_q.exp()
    off = (p - q).abs()
    total = off.sum(-1, keepdim=True)
    return torch.where(total > 0, off / total.clamp(min=1e-30), p)


@pytest.mark.parametrize(
    ("id", "answer"), unseen.answers, ids=lambda each: getattr(each, "__name__", each)
)
def test_an_unusual_right_answer_passes(id, answer):
    assert exercise(id).check(answer)


def test_mistakes_are_named():
    assert_nine_in_ten(unseen.of_chapter(11))
