"""Hard targets made of soft ones."""

import torch
import torch.nn.functional as F

from kdlib.exercises.authoring.inputs import log_distributions
from kdlib.exercises.kinds.functions import code


@code(
    source=("Q08",),
    difficulty=2,
    minutes=5,
    prompt=(
        "Write `one_hot_of_top(log_p)`: replace each of the teacher's distributions, given as "
        "log-probabilities, by the one-hot distribution of its top prediction. Where several words "
        "share the top, keep exactly one of them."
    ),
    hints=(
        "The result has the same shape as the argument.",
        "Find the position of the largest entry in each row, then write a 1 there.",
        "`torch.nn.functional.one_hot(..., num_classes=...)` of an argmax over the last dimension.",
    ),
    explanation=(
        "All that distinguished the other words is gone: that is the price of hard targets."
    ),
)
def one_hot_of_top(log_p):
    """One-hot distribution of each row's most likely word. (..., V) -> (..., V)"""
    return F.one_hot(log_p.argmax(dim=-1), num_classes=log_p.shape[-1]).float()


def _any_top(answer, log_p):
    """Any choice among equal tops is right: what counts is a 1 and zeros, and the 1 at a top."""
    result = torch.as_tensor(answer(log_p))
    at_a_top = log_p == log_p.max(dim=-1, keepdim=True).values
    return result.sort(dim=-1).values, (result * at_a_top).sum(dim=-1)


one_hot_of_top.probe("four rows, three words", log_distributions(4, 3, seed=31))
one_hot_of_top.probe("two rows, six words", log_distributions(2, 6, seed=32))
one_hot_of_top.probe("three dimensions", log_distributions(2, 4, 5, seed=33))
one_hot_of_top.probe("a single row", torch.tensor([0.2, 0.5, 0.3]).log())
one_hot_of_top.probe("exact zeros", torch.tensor([[0.0, 0.0, 1.0], [0.4, 0.6, 0.0]]).log())
one_hot_of_top.probe("nearly a tie", torch.tensor([[0.17995, 0.41, 0.41005]]).log())
one_hot_of_top.probe(
    "ties",
    torch.tensor([[0.4, 0.2, 0.4], [0.25, 0.25, 0.5]]).log(),
    measure=_any_top,
    points_to="ties-counted-twice",
    expected="a distribution: one 1 in each row",
)


@one_hot_of_top.also
def one_hot_of_top_scattered(log_p):
    zeros = torch.zeros_like(log_p)
    return zeros.scatter(-1, log_p.max(dim=-1, keepdim=True).indices, 1.0)


@one_hot_of_top.also
def one_hot_of_top_in_loops(log_p):
    if log_p.dim() > 1:
        return torch.stack([one_hot_of_top_in_loops(row) for row in log_p])
    row = log_p.tolist()
    return torch.tensor([float(i == row.index(max(row))) for i in range(len(row))])


def _shared(log_p):
    at_the_top = (log_p == log_p.max(dim=-1, keepdim=True).values).float()
    return at_the_top / at_the_top.sum(dim=-1, keepdim=True)


@one_hot_of_top.symptom(
    "index-for-distribution",
    seen="there is one number for each row",
    expected="one distribution for every row, over the whole vocabulary",
)
def _(results):
    return results["four rows, three words"].size == 4 and results["exact zeros"].size == 2


one_hot_of_top.mistakes(
    ("index-for-distribution",
     "the result holds word numbers; the vocabulary dimension is gone",
     "one distribution for each row", lambda log_p: log_p.argmax(dim=-1)),
    ("ties-counted-twice", "where two words share the top, the row sums to 2",
     "one word for each row, also where two are equally likely",
     lambda log_p: (log_p == log_p.max(dim=-1, keepdim=True).values).float()),
    ("ties-counted-twice", "where two words share the top, each of them gets a half",
     "all of the mass on one word, also where two are equally likely", _shared),
    ("batch-for-row", "one word is chosen for the whole batch", "each row has its own top",
     lambda log_p: (log_p == log_p.max()).float()),
    ("wrong-axis", "the top is taken down the columns",
     "the top over the vocabulary, the last dimension",
     lambda log_p: (log_p == log_p.max(dim=0, keepdim=True).values).float()),
    ("rest-not-renormalised",
     "the top word keeps its probability, the others get 0: rows sum to less than 1",
     "a distribution, with all of its mass on one word",
     lambda log_p: log_p.exp() * one_hot_of_top.reference(log_p)),
    ("sign-flipped", "the least likely word is chosen",
     "the most likely word: among negative logarithms, the one nearest to 0",
     lambda log_p: F.one_hot(log_p.argmin(dim=-1), log_p.shape[-1]).float()),
    ("wrong-word", "the first word is always chosen", "the word depends on the row",
     lambda log_p: torch.eye(log_p.shape[-1])[0].expand(log_p.shape)),
    ("nothing-done", "the distributions come back as they were",
     "hard targets: all mass on one word", lambda log_p: log_p.exp()),
    ("log-for-probability",
     "the result holds logarithms: 0 at the top and minus infinity elsewhere",
     "probabilities, 1 at the top and 0 elsewhere",
     lambda log_p: one_hot_of_top.reference(log_p).log()),
)  # fmt: skip
