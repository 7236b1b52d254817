"""Chapter 5's world of stories: labels that are few, teachers with habits, and their mixtures."""

import functools

import torch

from kdlib.losses.divergences import forward_kl
from kdlib.toys.worlds import story_world

WORLD = story_world()
TRUTH, VISITS = WORLD.log_rows(), WORLD.visits()
POSSIBLE = TRUTH > -torch.inf
K = int(POSSIBLE.sum()) - WORLD.vocab_size


def distance(log_q):
    return (VISITS * forward_kl(TRUTH, log_q)).sum(dim=-1)


@functools.cache
def frequencies(stories, seed):
    counts = WORLD.transition_counts(WORLD.sample(stories, seed=seed))
    total = counts.sum(dim=-1, keepdim=True)
    return torch.where(total > 0, counts / total.clamp(min=1), 1 / WORLD.vocab_size)


def many(stories, seeds):
    return torch.stack([frequencies(stories, seed) for seed in seeds])


def closed_form(labels, teacher_rows, lambdas):
    share = (lambdas / (1 + lambdas))[:, None, None]
    return ((1 - share) * labels[:, None] + share * teacher_rows.exp()[:, None]).log()
