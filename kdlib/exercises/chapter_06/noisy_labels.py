"""What symmetric noise does to a distribution of labels."""

import torch
import torch.nn.functional as F

from kdlib.exercises.authoring.inputs import distributions
from kdlib.exercises.authoring.rules import rows_not_summing_to_1
from kdlib.exercises.kinds.functions import code


@code(
    source=("Q27",),
    difficulty=2,
    minutes=6,
    prompt=(
        "Symmetric label noise: with probability `rate` a label is replaced by one of the V - 1 "
        "*other* words, all equally likely. Write `noisy_labels(p, rate)`: the distribution of the "
        "labels after the noise, where `p` (..., V) is the true one, one-hot or not. It is what F6 "
        "teaches at lambda = 0, and where each student sets out that a larger lambda moves."
    ),
    hints=(
        "There are two ways to end at a word: to start there and stay, or to arrive from another.",
        "All other words together have the probability 1 - p; each sends an equal part to each.",
        "(1 - rate) * p, plus rate times what arrives: (1 - p) over the number of other words.",
    ),
    explanation=(
        "Noise mixes in the other words, and collecting more labels does not take it out again."
    ),
)
def noisy_labels(p, rate):
    """Distributions of the labels after symmetric noise; rows sum to 1. (..., V) -> (..., V)"""
    arriving = (1 - p) / (p.shape[-1] - 1)
    return (1 - rate) * p + rate * arriving


noisy_labels.probe("rate 0.2", distributions(2, 3, seed=1), 0.2)
noisy_labels.probe("rate 0.5", distributions(4, 6, seed=2), 0.5)
noisy_labels.probe("one-hot rows", torch.eye(5)[[1, 0, 4]], 0.3)
noisy_labels.probe("three dimensions", distributions(3, 2, 4, seed=3), 0.1)
noisy_labels.probe("no noise", distributions(2, 7, seed=4), 0.0)
noisy_labels.probe("every label is wrong", distributions(3, 4, seed=5), 1.0)
noisy_labels.probe("two words", torch.tensor([0.7, 0.3]), 0.25)


@noisy_labels.also
def noisy_labels_by_matrix(p, rate):
    words = p.shape[-1]
    noise = torch.full((words, words), rate / (words - 1)).fill_diagonal_(1 - rate)
    return p @ noise


def _top(p):
    return F.one_hot(p.argmax(dim=-1), p.shape[-1]).float()


noisy_labels.mistakes(
    ("noise-keeps-label",
     "a replaced label can come out as the word it was: fewer labels are wrong than asked",
     "a replacement that is always another word",
     lambda p, rate: (1 - rate) * p + rate / p.shape[-1]),
    ("rest-not-renormalised",
     "every word receives the same, also what it sent off itself: rows sum to more than 1",
     "as much mass arrives as was sent off",
     lambda p, rate: (1 - rate) * p + rate / (p.shape[-1] - 1)),
    ("rest-not-renormalised",
     "each word receives all that the others send off, as if it were the only receiver",
     "what is sent off is divided among the receivers",
     lambda p, rate: (1 - rate) * p + rate * (1 - p)),
    ("complement-for-rate", "without noise every label is wrong, and with full noise none",
     "the rate is that of the wrong labels", lambda p, rate: noisy_labels.reference(p, 1 - rate)),
    ("hard-for-soft", "the likeliest word is taken for the label, and noise is added to that",
     "noise in a distribution: other words may be the label too",
     lambda p, rate: noisy_labels.reference(_top(p), rate)),
    ("top-entry-only", "only the most likely word loses mass, as if every row were one-hot",
     "every word loses the same share of its own mass",
     lambda p, rate: p - rate * _top(p) + rate * (1 - _top(p)) / (p.shape[-1] - 1)),
    ("term-left-out", "mass is sent off and arrives nowhere: rows sum to less than 1",
     "a distribution: what leaves one word arrives at others", lambda p, rate: (1 - rate) * p),
    ("nothing-done", "the distributions come back without noise", "rows that depend on the rate",
     lambda p, rate: p),
)  # fmt: skip
noisy_labels.symptom(
    "rest-not-renormalised",
    seen="there are rows that do not sum to 1",
    expected="distributions, at every rate",
)(rows_not_summing_to_1)
