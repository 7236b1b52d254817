"""How much of a draft the teacher keeps at one place."""

import torch

from kdlib.exercises.authoring.inputs import log_pair
from kdlib.exercises.authoring.switches import name_switches
from kdlib.exercises.kinds.functions import code


@code(
    source=(),
    difficulty=2,
    minutes=7,
    prompt=(
        "A student drafts one token from Q; its teacher keeps it with probability min(1, p / q). "
        "Write `share_kept(log_p, log_q)`: the probability that a drafted token is kept, from "
        "log-probabilities (..., V), one number a row (...). Nothing is learned through it."
    ),
    hints=(
        "The probability that word y is drafted *and* kept: a product of two numbers. Simplify it.",
        "q times min(1, p / q) holds no division any more. What is left to do over all words?",
        "`torch.minimum(log_p.exp(), log_q.exp())`, then a sum over the last dimension.",
    ),
    explanation=(
        "The sum of the smaller of two probabilities is 1 less their total variation. A whole "
        "distribution decides it: the favourite alone may be right and much of the draft be lost."
    ),
)
def share_kept(log_p, log_q):
    """The chance that P keeps what Q drafts. (..., V), (..., V) -> (...)"""
    return torch.minimum(log_p.exp(), log_q.exp()).sum(dim=-1)


share_kept.probe("one row", *log_pair(5, seed=80))
share_kept.probe("six rows", *log_pair(6, 4, seed=81))
share_kept.probe("texts of rows", *log_pair(2, 3, 7, seed=82))
share_kept.probe(
    "the same favourite",
    torch.tensor([[0.7, 0.2, 0.1]]).log(),
    torch.tensor([[0.7, 0.1, 0.2]]).log(),
)
share_kept.probe(
    "a word that is impossible for both",
    torch.tensor([[0.5, 0.5, 0.0], [0.2, 0.0, 0.8]]).log(),
    torch.tensor([[0.0, 1.0, 0.0], [0.1, 0.0, 0.9]]).log(),
    points_to="zero-log-zero",
    expected="finite shares where a probability is zero",
)


@share_kept.also
def kept_by_the_total_variation(log_p, log_q):
    return 1 - (log_p.exp() - log_q.exp()).abs().sum(-1) / 2


@share_kept.also
def kept_word_by_word(log_p, log_q):
    p, q = log_p.exp(), log_q.exp()
    return torch.where(p < q, p, q).sum(-1)


def _by_ratio(log_p, log_q):
    """The definition taken literally: NaN where a word is impossible for both models."""
    return (log_q.exp() * (log_p - log_q).exp().clamp(max=1)).sum(-1)


def _kept(
    least=torch.minimum,
    first=lambda log_p: log_p.exp(),
    second=lambda log_q: log_q.exp(),
    together=lambda parts: parts.sum(-1),
):
    """The share with another comparison, other inputs or another sum."""
    return lambda log_p, log_q: together(least(first(log_p), second(log_q)))


def _top(log_p, log_q):
    best = log_p.argmax(-1, keepdim=True)
    return torch.minimum(log_p.exp().gather(-1, best), log_q.exp().gather(-1, best))[..., 0]


def _same_favourite(log_p, log_q):
    return (log_p.argmax(-1) == log_q.argmax(-1)).to(log_p.dtype)


share_kept.mistakes(
    ("zero-log-zero", "not a number where a word has probability zero",
     "no division by a probability", _by_ratio),
    ("top-entry-only", "only the teacher's favourite is counted",
     "what is kept of all words that can be drafted", _top),
    ("top-1-for-match", "it says whether the two favourites agree",
     "a probability, which all words have a say in", _same_favourite),
)  # fmt: skip
name_switches(
    share_kept, _kept,
    ("divergences-mixed-up", "this is the total variation: what is lost of the draft",
     "what is kept of it", {"together": lambda parts: 1 - parts.sum(-1)}),
    ("index-for-value", "the larger of the two probabilities is added up, which exceeds one",
     "what both models give to a word", {"least": torch.maximum}),
    ("weighed-by-student", "the two probabilities are multiplied: two draws that agree by chance",
     "a token that is there already, and is judged", {"least": torch.mul}),
    ("log-for-probability", "logarithms are compared and added up",
     "probabilities, which are exponentials of what is given",
     {"first": lambda log_p: log_p, "second": lambda log_q: log_q}),
    ("mean-over-vocab", "the larger the vocabulary, the smaller the share",
     "a sum over the vocabulary", {"together": lambda parts: parts.mean(-1)}),
    ("batch-for-row", "there is one value for all rows", "one value for each row",
     {"together": lambda parts: parts.sum()}),
    ("wrong-axis", "the sum runs over the rows and not over the words",
     "a sum over the last dimension", {"together": lambda parts: parts.sum(0)}),
)  # fmt: skip
