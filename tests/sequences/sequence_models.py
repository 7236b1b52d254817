"""Small languages with any next-token probabilities, and a brute force in NumPy that shares no code
with `kdlib`."""

import functools
import itertools
import math

import numpy as np
import torch

EXACT = {"rel": 0, "abs": 1e-12}


@functools.cache
def random_row(seed, vocab_size, zeros, prefix, context):
    rng = np.random.default_rng([seed, context or 0, len(prefix), *prefix])
    weights = rng.exponential(size=vocab_size)
    if zeros:
        weights[rng.integers(vocab_size)] = 0
    return weights / weights.sum()


class PrefixModel:
    """A language with full memory: each (context, prefix) has its own next-token distribution."""

    def __init__(self, seed, vocab_size=3, eos_id=2, zeros=False):
        self.seed, self.vocab_size, self.eos_id, self.zeros = seed, vocab_size, eos_id, zeros

    def probs(self, prefix, context):
        return random_row(self.seed, self.vocab_size, self.zeros, prefix, context)

    def next_log_probs(self, prefixes, context=None):
        with np.errstate(divide="ignore"):
            rows = [np.log(self.probs(tuple(p), context)) for p in prefixes.tolist()]
        return torch.tensor(np.array(rows)).reshape(len(prefixes), self.vocab_size)


class Table:
    """A language given by {prefix: next-token probabilities}, uniform elsewhere."""

    def __init__(self, table, vocab_size, eos_id):
        self.table, self.vocab_size, self.eos_id = table, vocab_size, eos_id

    def next_log_probs(self, prefixes, context=None):
        assert len(prefixes), "asked about no prefix at all"
        uniform = [1 / self.vocab_size] * self.vocab_size
        rows = [self.table.get(tuple(p), uniform) for p in prefixes.tolist()]
        return torch.tensor(rows, dtype=torch.float64).log()


class Trainable:
    """A student without memory: one vector of logits for every prefix."""

    vocab_size, eos_id = 3, 2

    def __init__(self):
        self.logits = torch.tensor([0.3, -0.2, 0.1], dtype=torch.float64, requires_grad=True)

    def next_log_probs(self, prefixes, context=None):
        return self.logits.log_softmax(0).expand(len(prefixes), 3)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def brute_force(model, length, context=None):
    """{outcome: probability}, by walking every product of tokens; an outcome stops after eos."""
    outcomes = {}
    for tokens in itertools.product(range(model.vocab_size), repeat=length):
        if model.eos_id in tokens:
            tokens = tokens[: tokens.index(model.eos_id) + 1]
        probability = 1.0
        for t, token in enumerate(tokens):
            probability *= model.probs(tokens[:t], context)[token]
        outcomes[tokens] = probability
    return outcomes


def brute_force_losses(p, q):
    pairs = [(p[y], q[y]) for y in p if p[y] > 0]
    ce = math.fsum(-a * math.log(b) for a, b in pairs)
    return ce, ce + math.fsum(a * math.log(a) for a, _ in pairs)
