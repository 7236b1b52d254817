"""The entropy of a target."""

import math

import torch

from kdlib.exercises.authoring.inputs import distributions
from kdlib.exercises.kinds.functions import code


@code(
    source=("Q03",),
    difficulty=2,
    minutes=6,
    prompt=(
        "Write `target_entropy(p)`: the entropy in nats of each row of probabilities. Rows may "
        "hold exact zeros; a one-hot row has entropy 0."
    ),
    hints=(
        "Entropy is the expected surprise: weigh -log p with p itself.",
        "Sum over the last dimension only, and mind what 0 * log 0 gives in floating point.",
        "`torch.special.entr` knows about 0; so does `torch.xlogy`.",
    ),
)
def target_entropy(p):
    """Entropy of each row of probabilities, in nats. (..., V) -> (...)"""
    return torch.special.entr(p).sum(dim=-1)


target_entropy.probe("five rows over three words", distributions(5, 3, seed=11))
target_entropy.probe("two rows over seven words", distributions(2, 7, seed=12))
target_entropy.probe("three dimensions", distributions(2, 3, 4, seed=13))
target_entropy.probe("a single row", distributions(6, seed=14))
target_entropy.probe("the uniform row", torch.full((1, 8), 1 / 8))
target_entropy.probe(
    "one-hot rows",
    torch.tensor([[0.0, 1.0, 0.0], [0.5, 0.0, 0.5]]),
    points_to="zero-log-zero",
    expected="0 log 0 counts as 0",
)
target_entropy.probe(
    "many rare words",
    torch.full((2, 4095), 2**-16).scatter(-1, torch.tensor([[0], [7]]), 1 - 4094 * 2**-16),
    points_to="floor-in-logarithm",
    expected="the logarithm as it is: rare words are many",
)


@target_entropy.also
def target_entropy_in_loops(p):
    if p.dim() > 1:
        return torch.stack([target_entropy_in_loops(row) for row in p])
    return torch.tensor(sum(-x * math.log(x) for x in p.tolist() if x > 0))


target_entropy.mistakes(
    ("sign-flipped", "every entropy is negative", "an entropy is at least 0",
     lambda p: torch.xlogy(p, p).sum(dim=-1)),
    ("nats-for-bits", "the uniform row over eight words gives a whole number: bits",
     "natural logarithms", lambda p: torch.special.entr(p).sum(dim=-1) / math.log(2)),
    ("mean-over-vocab", "the more words there are, the smaller the entropy of a uniform row",
     "entropy grows with the number of equally likely words",
     lambda p: torch.special.entr(p).mean(dim=-1)),
    ("zero-log-zero", "a row with an exact zero gives NaN",
     "a word that is impossible adds nothing",
     lambda p: -(p * p.log()).sum(dim=-1)),
    ("batch-for-row", "there is one value for the whole batch", "one value for each row",
     lambda p: torch.special.entr(p).sum()),
    ("batch-for-row", "there is one value for the whole batch, the mean of the rows",
     "one value for each of the rows", lambda p: torch.special.entr(p).sum(dim=-1).mean()),
    ("wrong-axis", "the sums run over the rows: one value for each word",
     "one value for every row, not for every word", lambda p: torch.special.entr(p).sum(dim=0)),
    ("weights-missing", "surprises are added up without weights; rare words dominate",
     "each surprise is weighed with its probability", lambda p: -p.log().sum(dim=-1)),
    ("softmax-twice",
     "all rows look nearly uniform, as if softmax had been applied to probabilities",
     "the rows are probabilities already",
     lambda p: torch.special.entr(torch.softmax(p, dim=-1)).sum(dim=-1)),
    ("top-entry-only", "only the largest entry of a row matters", "all entries of a row matter",
     lambda p: -p.max(dim=-1).values.log()),
)  # fmt: skip
