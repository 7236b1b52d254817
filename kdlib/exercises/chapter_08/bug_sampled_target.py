"""A target from drawn words that is right on average."""

import torch

from kdlib.exercises.authoring.inputs import distributions
from kdlib.exercises.authoring.switches import name_switches
from kdlib.exercises.judging.values import plain
from kdlib.exercises.kinds.functions import code


@code(
    source=(),
    difficulty=4,
    minutes=10,
    prompt=(
        "Instead of the most likely words, a cache may keep drawn ones: for a position with the "
        "teacher's probabilities `p` (V,) it holds n word ids `draws`, drawn with replacement from "
        "a known distribution `proposal` (V,). Write `bug_sampled_target(p, proposal, draws)`: the "
        "target (V,), 0 for words not drawn, whose average over many such draws is exactly p."
    ),
    hints=(
        "A word that the proposal favours is drawn too often; its weight has to make up for that.",
        "Each draw contributes p / proposal of its word, over n. A word may be drawn twice.",
        "torch.zeros_like(p).index_add(0, draws, ...) adds up where an id repeats.",
    ),
    explanation="A single target need not sum to 1; making it do so is what brings the bias.",
)
def bug_sampled_target(p, proposal, draws):
    """A target from drawn words whose average over draws is exactly p. (V,), (V,), (n,) -> (V,)"""
    weights = p[draws] / proposal[draws] / len(draws)
    return torch.zeros_like(p).index_add(0, draws, weights)


def _average_target(answer, p, proposal, size):
    """The average of the answer over all V**n draws, each with its probability."""
    draws = torch.cartesian_prod(*[torch.arange(len(p))] * size).reshape(-1, size)
    targets = [answer(p, proposal, d) for d in draws]
    if any(target is None for target in targets):
        return None
    chances = proposal[draws].prod(dim=-1).tolist()
    return sum(c * plain(target) for c, target in zip(chances, targets))


_P, _UNIFORM = distributions(6, seed=831), torch.full((6,), 1 / 6)
_TILTED = distributions(6, seed=832)
bug_sampled_target.probe("four words drawn", _P, _TILTED, torch.tensor([4, 0, 2, 5]))
bug_sampled_target.probe("a word drawn twice", _P, _TILTED, torch.tensor([1, 3, 1, 3, 3]))
bug_sampled_target.probe("drawn from p itself", _P, _P, torch.tensor([2, 2, 0]))
bug_sampled_target.probe("drawn evenly", _P, _UNIFORM, torch.tensor([5, 1, 5, 0]))
bug_sampled_target.probe("a single draw", _P, _TILTED, torch.tensor([3]))
bug_sampled_target.probe(
    "the average over all draws of two from three words",
    distributions(3, seed=833),
    distributions(3, seed=834),
    2,
    measure=_average_target,
    expected="the average over all draws is p",
)


@bug_sampled_target.also
def sampled_target_in_loops(p, proposal, draws):
    target = [0.0] * len(p)
    for word in draws.tolist():
        target[word] += float(p[word]) / (float(proposal[word]) * len(draws))
    return target


def _added(target, draws, weights):
    return target.index_add(0, draws, weights)


def _assigned(target, draws, weights):
    target[draws] = weights
    return target


def _target(
    weight=lambda p, proposal: p / proposal, put=_added, size=len, end=lambda target: target
):
    """The target with other weights, put in place or divided in another way."""

    def answer(p, proposal, draws):
        weights = weight(p, proposal)[draws] / size(draws)
        return end(put(torch.zeros_like(p), draws, weights))

    return answer


bug_sampled_target.mistakes(
    ("top-k-unnormalised",
     "the drawn words get their own probabilities, the others nothing: too little on average",
     "drawn words stand for those that were not drawn too",
     _target(lambda p, proposal: p, _assigned, size=lambda draws: 1)),
    ("top-k-renormalised",
     "the drawn words get their own probabilities, renormalised; rare words get too much",
     "an average that is p",
     _target(lambda p, proposal: p, _assigned, end=lambda target: target / target.sum())),
    ("nothing-done", "the result is p itself, which the cache has no room for",
     "zeros for words that were not drawn", lambda p, proposal, draws: p),
)  # fmt: skip
name_switches(
    bug_sampled_target, _target,
    ("weights-missing", "the words are counted; the average is the proposal, not the teacher",
     "weights that make up for what the proposal favours",
     {"weight": lambda p, proposal: torch.ones_like(p)}),
    ("double-counting",
     "the teacher's probabilities are averaged over the draws: likely words, drawn more "
     "often anyway, count twice",
     "weights that know how often a word is drawn", {"weight": lambda p, proposal: p}),
    ("ratio-turned-round", "the weights are largest for words that were drawn too often",
     "smaller weights for words that the proposal favours",
     {"weight": lambda p, proposal: proposal / p}),
    ("term-left-out",
     "the weights correct for the proposal and forget the teacher: the average is uniform",
     "weights in which the teacher occurs", {"weight": lambda p, proposal: 1 / proposal}),
    ("weighted-twice", "the teacher's probability is applied twice", "one factor p in each weight",
     {"weight": lambda p, proposal: p * p / proposal}),
    ("repeated-index", "a word drawn twice counts once: the second assignment replaces the first",
     "every draw contributes", {"put": _assigned}),
    ("top-k-renormalised",
     "every target is divided by its sum; it looks complete, and its average is not p",
     "targets that are right on average, whatever a single one sums to",
     {"end": lambda target: target / target.sum()}),
    ("sum-for-mean", "more draws give a larger target", "an average over the draws",
     {"size": lambda draws: 1}),
    ("wrong-size-in-mean", "the sum is divided by the number of different words",
     "a division by the number of draws", {"size": lambda draws: len(draws.unique())}),
)  # fmt: skip
