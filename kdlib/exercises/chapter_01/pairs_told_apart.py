"""How many pairs of words a target tells apart."""

import torch

from kdlib.exercises.authoring.inputs import distributions
from kdlib.exercises.kinds.functions import code


@code(
    source=("Q03", "Q04"),
    difficulty=2,
    minutes=6,
    prompt=(
        "How much does a target tell apart? Write `pairs_told_apart(p, tolerance)`: for each row "
        "of probabilities, the number of pairs of different words whose probabilities differ by "
        "more than `tolerance`. A pair counts once."
    ),
    hints=(
        "A one-hot row over five words tells 4 pairs apart, a uniform row none.",
        "Make a table of all differences with `p[..., :, None] - p[..., None, :]`.",
        "The table holds each pair twice, once with each sign.",
    ),
    explanation="A one-hot target tells V - 1 pairs apart, a soft one up to V (V - 1) / 2.",
)
def pairs_told_apart(p, tolerance):
    """Number of word pairs in each row that differ by more than the tolerance. (..., V) -> (...)"""
    gaps = p[..., :, None] - p[..., None, :]
    return (gaps > tolerance).sum(dim=(-2, -1))


pairs_told_apart.probe("soft rows", distributions(4, 5, seed=21), 0.02)
pairs_told_apart.probe("another tolerance", distributions(3, 6, seed=22), 0.15)
pairs_told_apart.probe("one-hot rows", torch.eye(5)[[2, 0, 4]], 0.01)
pairs_told_apart.probe("a uniform row", torch.full((1, 4), 0.25), 0.01)
pairs_told_apart.probe("a single row", torch.tensor([0.5, 0.0, 0.25, 0.25]), 0.125)
pairs_told_apart.probe(
    "falling rows", distributions(2, 7, seed=23).sort(descending=True).values, 0.01
)
pairs_told_apart.probe(
    "gaps that equal the tolerance",
    torch.tensor([[0.5, 0.25, 0.25], [0.125, 0.5, 0.375]]),
    0.25,
    expected="more than the tolerance, and not as much",
)


@pairs_told_apart.also
def pairs_told_apart_in_loops(p, tolerance):
    if p.dim() > 1:
        return [pairs_told_apart_in_loops(row, tolerance) for row in p]
    return sum(abs(p[i] - p[j]) > tolerance for i in range(len(p)) for j in range(i))


def _gaps(p):
    return p[..., :, None] - p[..., None, :]


pairs_told_apart.mistakes(
    ("double-counting", "every pair is counted twice",
     "the pair (sofa, moon) is the pair (moon, sofa)",
     lambda p, tolerance: (_gaps(p).abs() > tolerance).sum(dim=(-2, -1))),
    ("top-entry-only", "only pairs with the most likely word are counted",
     "pairs among the alternatives count as well",
     lambda p, tolerance: (p.max(dim=-1, keepdim=True).values - p > tolerance).sum(dim=-1)),
    ("neighbours-only", "only neighbours in the vocabulary are compared",
     "every word is compared with every other word",
     lambda p, tolerance: (p.diff(dim=-1).abs() > tolerance).sum(dim=-1)),
    ("batch-for-row", "there is one count for the whole batch", "one count for each row",
     lambda p, tolerance: (_gaps(p) > tolerance).sum()),
    ("one-sign-only",
     "pairs are missed when the likelier word stands later in the vocabulary",
     "the order of the vocabulary makes no difference",
     lambda p, tolerance: (_gaps(p) > tolerance).triu().sum(dim=(-2, -1))),
    ("flat-for-informative", "a uniform row gets the highest count",
     "a row that prefers no word tells none apart",
     lambda p, tolerance: (_gaps(p).abs() <= tolerance).triu(1).sum(dim=(-2, -1))),
)  # fmt: skip
