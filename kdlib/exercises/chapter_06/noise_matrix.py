"""A noise matrix counted from checked labels."""

import torch

from kdlib.exercises.authoring.inputs import normal
from kdlib.exercises.kinds.functions import code


@code(
    source=("Q27",),
    difficulty=3,
    minutes=8,
    prompt=(
        "Some labels were checked by hand. Write `noise_matrix(true, given, words)`: entry (i, j) "
        "is the share of the examples with the true label i that were given the label j. `true` "
        "and `given` hold word numbers, (N,). Assume no noise for a word that is never true."
    ),
    hints=(
        "Count pairs first, then turn counts into shares.",
        "A row belongs to one true label, so each row sums to 1. Which rows would be 0 / 0?",
        "Count in a loop over zip(true, given); divide each row by its sum, if it is not 0.",
    ),
    explanation="p @ noise_matrix gives the distribution of given labels, for any noise.",
)
def noise_matrix(true, given, words):
    """Row i: how the examples with true label i were labelled; rows sum to 1. -> (words, words)"""
    counts = torch.zeros(words, words)
    for i, j in zip(true, given):
        counts[i, j] += 1
    totals = counts.sum(dim=1, keepdim=True)
    return torch.where(totals > 0, counts / totals.clamp(min=1), torch.eye(words))


def _labelled(count: int, words: int, seed: int, rate: float = 0.4):
    true = torch.cat([torch.arange(words), normal(count - words, words, seed=seed).argmax(dim=-1)])
    other = normal(count, words, seed=seed + 50).argmax(dim=-1)
    return true, torch.where(normal(count, seed=seed + 90) < rate, other, true), words


noise_matrix.probe("20 labels, 3 words", *_labelled(20, 3, seed=21))
noise_matrix.probe("40 labels, 5 words", *_labelled(40, 5, seed=22))
noise_matrix.probe(
    "one word becomes another", torch.tensor([0, 0, 0, 1, 1]), torch.tensor([0, 1, 1, 1, 1]), 2
)
noise_matrix.probe("6 labels, 4 words", *_labelled(6, 4, seed=23))
noise_matrix.probe("2500 labels, 3 words", *_labelled(2500, 3, seed=24))
noise_matrix.probe(
    "words that are true once", torch.tensor([2, 0, 1, 2]), torch.tensor([0, 1, 1, 2]), 3
)
noise_matrix.probe(
    "a word that is never true",
    torch.tensor([0, 2, 2, 0]),
    torch.tensor([0, 1, 2, 0]),
    3,
    expected="a row that says 'no noise' where there is nothing to count",
)
noise_matrix.probe(
    "a last word that does not occur",
    torch.tensor([0, 1, 1]),
    torch.tensor([1, 1, 0]),
    3,
    expected="a row and a column for each of the words, also for those that do not occur",
)


@noise_matrix.also
def noise_matrix_by_product(true, given, words):
    eye = torch.eye(words)
    counts = eye[true].T @ eye[given]
    empty = counts.sum(dim=1) == 0
    counts[empty] = eye[empty]
    return counts / counts.sum(dim=1, keepdim=True)


def _counts(true, given, words):
    return torch.eye(words)[true].T @ torch.eye(words)[given]


def _over(counts, least):
    """Each row divided by its sum, or by `least`."""
    return counts / counts.sum(dim=1, keepdim=True).clamp(min=least)


def _shares(counts):
    return torch.where(
        counts.sum(dim=1, keepdim=True) > 0, _over(counts, 1), torch.eye(len(counts))
    )


noise_matrix.mistakes(
    ("condition-turned-round",
     "columns sum to 1: the shares are taken among the examples with one given label",
     "shares among the examples with one true label",
     lambda true, given, words: noise_matrix.reference(given, true, words).T),
    ("condition-turned-round", "a row belongs to a given label and says what was true",
     "a row belongs to a true label and says what was given",
     lambda true, given, words: noise_matrix.reference(given, true, words)),
    ("wrong-axis",
     "the shares are right but stand in columns: true labels run along the wrong dimension",
     "true labels down the rows, given ones along them",
     lambda true, given, words: noise_matrix.reference(true, given, words).T),
    ("rest-not-renormalised", "the entries are counts", "shares: every row sums to 1", _counts),
    ("wrong-size-in-mean",
     "the whole matrix sums to 1: counts are divided by the number of all examples",
     "each row is divided by the examples of that row",
     lambda true, given, words: _counts(true, given, words) / len(true)),
    ("repeated-index", "a pair that occurs ten times counts like one that occurs once",
     "each example counts",
     lambda true, given, words: _shares(_counts(true, given, words).clamp(max=1))),
    ("zero-log-zero", "the row of a word that is never true is NaN",
     "a usable row for each word, as the task says",
     lambda true, given, words: _over(_counts(true, given, words), least=0)),
    ("rest-not-renormalised", "the row of a word that is never true is all zeros",
     "a row that sums to 1 there as well",
     lambda true, given, words: _over(_counts(true, given, words), least=1)),
)  # fmt: skip
