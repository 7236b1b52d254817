"""What is drawn in the place of a drafted token that the teacher rejects."""

import torch

from kdlib.exercises.authoring.inputs import log_pair
from kdlib.exercises.authoring.switches import name_switches
from kdlib.exercises.kinds.functions import code


@code(
    source=(),
    difficulty=4,
    minutes=10,
    prompt=(
        "A token drafted from Q is kept with probability min(1, p / q). Write `in_its_place(log_p, "
        "log_q)`: the distribution (..., V), as probabilities, from which another token must be "
        "drawn when it is not kept, so that what comes out has the law P. Where P and Q are equal, "
        "nothing is ever rejected: return P there. Nothing is learned through it."
    ),
    hints=(
        "Word y comes out as a kept draft with probability min(p, q). How much is missing to p?",
        "What is missing is above zero only where P gives more than Q. Make it sum to one.",
        "`(p - q).clamp(min=0)`, divided by its sum along the last dimension, with `keepdim=True`.",
    ),
    explanation=(
        "What is rejected in all, one less the sum of the minima, is exactly what is missing in "
        "all. So every draft leaves the teacher's language as it is; a bad one is only slow."
    ),
)
def in_its_place(log_p, log_q):
    """The law of a replaced token. (..., V), (..., V) -> (..., V)"""
    p, q = log_p.exp(), log_q.exp()
    missing = (p - q).clamp(min=0)
    total = missing.sum(dim=-1, keepdim=True)
    return torch.where(total > 0, missing / total, p)


in_its_place.probe("one row", *log_pair(5, seed=90))
in_its_place.probe("six rows", *log_pair(6, 4, seed=91))
in_its_place.probe("texts of rows", *log_pair(2, 3, 7, seed=92))
in_its_place.probe(
    "a word that the student never drafts",
    torch.tensor([[0.5, 0.5, 0.0], [0.2, 0.0, 0.8]]).log(),
    torch.tensor([[0.0, 0.9, 0.1], [0.0, 1.0, 0.0]]).log(),
)
in_its_place.probe(
    "two models that agree",
    torch.tensor([[0.25, 0.5, 0.25], [0.5, 0.25, 0.25]]).log(),
    torch.tensor([[0.25, 0.5, 0.25], [0.25, 0.5, 0.25]]).log(),
    points_to="divided-twice",
    expected="the teacher's own distribution where nothing is missing",
)


@in_its_place.also
def what_is_missing(log_p, log_q):
    p = log_p.exp()
    missing = p - torch.minimum(p, log_q.exp())
    total = missing.sum(-1, keepdim=True)
    return torch.where(total == 0, p, missing / torch.where(total == 0, 1, total))


def _unguarded(log_p, log_q):
    missing = (log_p.exp() - log_q.exp()).clamp(min=0)
    return missing / missing.sum(-1, keepdim=True)


def _place(
    of=lambda p, q: (p - q).clamp(min=0),
    share=lambda missing: missing / missing.sum(-1, keepdim=True).clamp(min=1e-38),
):
    """The law with another difference, or divided otherwise; P where the two agree."""

    def answer(log_p, log_q):
        p, q = log_p.exp(), log_q.exp()
        agree = ((p - q).clamp(min=0).sum(-1, keepdim=True)) == 0
        return torch.where(agree, p, share(of(p, q)))

    return answer


in_its_place.mistakes(
    ("divided-twice", "not a number where both models agree: nothing is divided by nothing",
     "a distribution in every row", _unguarded),
    ("teacher-taken-for-truth",
     "the teacher's whole distribution: with the drafts that were kept, what it shares with the "
     "student comes out too often", "only what the kept drafts have left out",
     lambda log_p, log_q: log_p.exp()),
)  # fmt: skip
name_switches(
    in_its_place, _place,
    ("rest-not-renormalised", "a row sums to less than one: what is missing is not yet a law",
     "probabilities that sum to one", {"share": lambda missing: missing}),
    ("kl-reversed", "it puts weight where the student gives too much",
     "weight where the teacher gives more", {"of": lambda p, q: (q - p).clamp(min=0)}),
    ("sign-flipped", "words with too much in the draft count as missing, too",
     "nothing where the student gives more already", {"of": lambda p, q: (p - q).abs()}),
    ("softmax-wrong-axis", "it is made to sum to one over the rows",
     "a distribution over the words of each row",
     {"share": lambda missing: missing / missing.sum(0, keepdim=True).clamp(min=1e-38)}),
    ("softmax-twice", "what is missing goes through a softmax: words that miss nothing get weight",
     "a division by the sum", {"share": lambda missing: missing.softmax(-1)}),
)  # fmt: skip
