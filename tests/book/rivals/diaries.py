"""Chapter 6's world of diaries, in other draws than the chapter's: noise, mixtures, scatter."""

import functools

import torch

from kdlib.losses.divergences import forward_kl
from kdlib.toys.worlds import flip_labels, random_world

FINE = torch.linspace(0, 1, 201, dtype=torch.float64)


class Diary:
    """A language of six words, drawn from a seed, and what its students are judged by."""

    def __init__(self, seed):
        self.world = random_world("sun rain wind snow fog .", seed=seed)
        self.visits, self.clean = self.world.visits(), self.world.log_rows().exp()
        self.words = self.world.vocab_size

    def distance(self, q):
        return (self.visits * forward_kl(self.clean.log(), q.log())).sum(dim=-1)

    def noisy(self, rate):
        return self.world.with_label_noise(rate).log_rows().exp()

    def biased(self, strength):
        return self.world.with_bias(strength).log_rows().exp()

    def tempered(self, temperature):
        return self.world.with_temperature(temperature).log_rows().exp()

    def best(self, labels, teacher):
        """The best share of the teacher, and the distance from the truth at it."""
        kl = self.distance(mixtures(labels, teacher))
        return FINE[kl.argmin(dim=-1)], kl.amin(dim=-1)

    def mean_ratio(self, labels, other):
        ratio = (self.clean * other / labels).sum(dim=-1)
        return (self.visits * ratio).sum() / self.visits.sum()

    def overlap(self, a, b):
        return (self.visits[:, None] * (a - self.clean) * (b - self.clean) / self.clean).sum()

    @functools.cache  # noqa: B019
    def sampled(self, entries, seed):
        return self.world.sample(entries, length=60, seed=seed)

    @functools.cache  # noqa: B019
    def counts(self, rate, seed, entries=300):
        diary, dice = self.sampled(entries, seed), torch.Generator().manual_seed(90000 + seed)
        return self.world.transition_counts(
            diary, flip_labels(diary.tokens, rate, self.words, dice)
        )

    def frequencies(self, rate, seeds, entries=300):
        counts = torch.stack([self.counts(rate, seed, entries) for seed in seeds])
        # A word that never came says nothing: the uniform distribution, as of an untrained student.
        total = counts.sum(dim=-1, keepdim=True)
        return torch.where(total > 0, counts / total.clamp(min=1), 1 / self.words)


def mixtures(labels, teacher, shares=FINE):
    share = shares[:, None, None]
    return (1 - share) * labels.unsqueeze(-3) + share * teacher.unsqueeze(-3)


@functools.cache
def diaries():
    """Ten languages that the chapter does not use."""
    return [Diary(seed) for seed in range(20, 30)]
