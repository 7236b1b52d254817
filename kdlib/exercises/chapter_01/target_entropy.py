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


@target_entropy.also
def target_entropy_in_loops(p):
    if p.dim() > 1:
        return torch.stack([target_entropy_in_loops(row) for row in p])
    return torch.tensor(sum(-x * math.log(x) for x in p.tolist() if x > 0))


@target_entropy.wrong(
    "sign-flipped",
    seen="every entropy is negative",
    expected="an entropy is at least 0",
)
def target_entropy_negative(p):
    return torch.xlogy(p, p).sum(dim=-1)


@target_entropy.wrong(
    "nats-for-bits",
    seen="the uniform row over eight words gives a whole number: bits",
    expected="natural logarithms",
)
def target_entropy_in_bits(p):
    return torch.special.entr(p).sum(dim=-1) / math.log(2)


@target_entropy.wrong(
    "mean-over-vocab",
    seen="the more words there are, the smaller the entropy of a uniform row",
    expected="entropy grows with the number of equally likely words",
)
def target_entropy_mean(p):
    return torch.special.entr(p).mean(dim=-1)


@target_entropy.wrong(
    "zero-log-zero",
    seen="a row with an exact zero gives NaN",
    expected="a word that is impossible adds nothing",
)
def target_entropy_nan(p):
    return -(p * p.log()).sum(dim=-1)


@target_entropy.wrong(
    "batch-for-row",
    seen="there is one value for the whole batch",
    expected="one value for each row",
)
def target_entropy_of_batch(p):
    return torch.special.entr(p).sum()


@target_entropy.wrong(
    "batch-for-row",
    seen="there is one value for the whole batch, the mean of the rows",
    expected="one value for each of the rows",
)
def target_entropy_batch_mean(p):
    return torch.special.entr(p).sum(dim=-1).mean()


@target_entropy.wrong(
    "wrong-axis",
    seen="the sums run over the rows: one value for each word",
    expected="one value for every row, not for every word",
)
def target_entropy_columns(p):
    return torch.special.entr(p).sum(dim=0)


@target_entropy.wrong(
    "weights-missing",
    seen="surprises are added up without weights; rare words dominate",
    expected="each surprise is weighed with its probability",
)
def target_entropy_unweighted(p):
    return -p.log().sum(dim=-1)


@target_entropy.wrong(
    "softmax-twice",
    seen="all rows look nearly uniform, as if softmax had been applied to probabilities",
    expected="the rows are probabilities already",
)
def target_entropy_of_softmax(p):
    return torch.special.entr(torch.softmax(p, dim=-1)).sum(dim=-1)


@target_entropy.wrong(
    "top-entry-only",
    seen="only the largest entry of a row matters",
    expected="all entries of a row matter",
)
def target_entropy_top(p):
    return -p.max(dim=-1).values.log()
