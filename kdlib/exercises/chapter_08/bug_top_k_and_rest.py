"""KL over the kept words and one slot for the rest."""

import torch

from kdlib.exercises.authoring.floors import UNLIKELY, no_floor
from kdlib.exercises.authoring.inputs import log_distributions, log_pair, normal
from kdlib.exercises.authoring.kl import kl_of_logs
from kdlib.exercises.authoring.lookalikes import kl_switches, name_lookalikes
from kdlib.exercises.authoring.rules import matches
from kdlib.exercises.authoring.switches import name_switches
from kdlib.exercises.kinds.functions import code
from kdlib.losses.divergences import cross_entropy, forward_kl


@code(
    source=(),
    difficulty=4,
    minutes=12,
    prompt=(
        "A cache keeps the teacher's k most likely words. To compare honestly, all other words "
        "share one slot, whose probability is the sum of theirs, in teacher and student alike. "
        "Write `bug_top_k_and_rest(log_p, log_q, k)`, for evaluation: for each row the KL from "
        "teacher to student over these k + 1 slots. log_p and log_q are log-probabilities "
        "(..., V); k may be V."
    ),
    hints=(
        "Merging words into one slot keeps both sides distributions, so the KL stays at least 0.",
        (
            "The teacher chooses the words, for both. Sum the others' probabilities directly: 1 "
            "minus a sum may come out below 0."
        ),
        (
            "topk(k).indices of log_p; gather them from both; scatter minus infinity there and "
            "sum the exponentials for the last slot; torch.xlogy knows about 0."
        ),
    ),
    explanation="It is at most the full KL, and 0 only where kept words and rest agree.",
    atol=1e-5,
)
def bug_top_k_and_rest(log_p, log_q, k):
    """KL over the teacher's k likeliest words and a slot for all others. (..., V) -> (...)"""
    words = log_p.topk(k, dim=-1).indices

    def slots(log_probs):
        others = log_probs.scatter(-1, words, -torch.inf)
        rest = others.exp().sum(dim=-1, keepdim=True)
        return torch.cat([log_probs.gather(-1, words).exp(), rest], dim=-1)

    p, q = slots(log_p), slots(log_q)
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(dim=-1)


def _zipf(*shape: int, seed: int):
    """Rows whose probabilities fall like 1/rank, in an order of their own each."""
    ranks = normal(*shape, seed=seed).argsort(dim=-1).argsort(dim=-1) + 1.0
    return torch.log_softmax(-ranks.log(), dim=-1)


bug_top_k_and_rest.probe("2 of 6", *log_pair(3, 6, seed=811), 2)
bug_top_k_and_rest.probe("3 of 7", *log_pair(2, 3, 7, seed=813), 3)
bug_top_k_and_rest.probe("1 of 5", *log_pair(4, 5, seed=815), 1)
bug_top_k_and_rest.probe(
    "4 of 50, Zipf", _zipf(2, 50, seed=817), log_distributions(2, 50, seed=818), 4
)
bug_top_k_and_rest.probe(
    "a student that is surer of the kept words",
    torch.tensor([0.4, 0.1, 0.3, 0.2]).log(),
    torch.tensor([0.5, 0.02, 0.45, 0.03]).log(),
    2,
)
bug_top_k_and_rest.probe(
    "a student with the right proportions among the kept words",
    torch.tensor([[0.5, 0.2, 0.15, 0.1, 0.05]]).log(),
    torch.tensor([[0.2, 0.08, 0.15, 0.27, 0.3]]).log(),
    2,
)
bug_top_k_and_rest.probe(
    "all of 4",
    *log_pair(3, 4, seed=819),
    4,
    points_to="zero-log-zero",
    expected="a finite value where no word is left for the last slot",
)
no_floor(
    bug_top_k_and_rest,
    torch.tensor([[0.4, 0.3, 0.2, 0.1]]).log(),
    torch.tensor([[0.0, UNLIKELY, 1.0, 0.5]]).log_softmax(dim=-1),
    2,
)
no_floor(
    bug_top_k_and_rest,
    torch.tensor([[0.4, 0.3, 0.2, 0.1]]).log(),
    torch.tensor([[0.0, 1.0, UNLIKELY, UNLIKELY]]).log_softmax(dim=-1),
    2,
    name="a rest of probability 1e-26",
)


@bug_top_k_and_rest.symptom(
    "top-k-unnormalised",
    seen="a 'KL' is negative: what is summed on the two sides are no distributions",
    expected="a slot for the rest, on both sides",
)
def _(results):
    surer = float(results["a student that is surer of the kept words"])
    return surer < -1e-6 and (results["all of 4"] > 0).all()


@bug_top_k_and_rest.also
def top_k_with_rest_sorted(log_p, log_q, k):
    order = log_p.argsort(dim=-1, descending=True)
    p, q = (x.double().exp().gather(-1, order) for x in (log_p, log_q))
    p, q = (torch.cat([x[..., :k], x[..., k:].sum(-1, keepdim=True)], -1) for x in (p, q))
    return torch.where(p > 0, p * (p / q).log(), 0.0).sum(dim=-1)


def _kept(log_p, log_q, k):
    """Both models' log-probabilities of the teacher's words."""
    words = log_p.topk(k, dim=-1).indices
    return log_p.gather(-1, words), log_q.gather(-1, words)


def _terms(log_p, log_q):
    return log_p.exp() * (log_p - log_q)


bug_top_k_and_rest.symptom(
    "top-k-unnormalised",
    seen="the kept words alone are compared, and they are no distribution on either side",
    expected="a slot for the rest, in teacher and student alike",
)(
    matches(
        bug_top_k_and_rest,
        lambda *a: kl_of_logs(*_kept(*a)).abs(),
        lambda *a: _terms(*_kept(*a)).clamp_min(0).sum(dim=-1),
        lambda *a: kl_of_logs(*reversed(_kept(*a))),
        lambda *a: -(_kept(*a)[0].exp() * _kept(*a)[1]).sum(dim=-1),
        lambda *a: kl_of_logs(*_kept(*a)) / a[2],
    )
)
bug_top_k_and_rest.symptom(
    "top-k-renormalised",
    seen="the kept words of one model or of both are made to sum to 1",
    expected="the kept words keep their probabilities, and the rest has a slot",
)(
    matches(
        bug_top_k_and_rest,
        lambda *a: kl_of_logs(_kept(*a)[0], _kept(*a)[1].log_softmax(dim=-1)),
        lambda *a: kl_of_logs(*(x.log_softmax(dim=-1) for x in reversed(_kept(*a)))),
        lambda *a: cross_entropy(*(x.log_softmax(dim=-1) for x in _kept(*a))),
        lambda *a: cross_entropy(_kept(*a)[0].log_softmax(dim=-1), _kept(*a)[1]),
    )
)


def _slots(log_probs, words):
    """Probabilities of the words, and of all others together."""
    rest = log_probs.scatter(-1, words, -torch.inf).exp().sum(dim=-1, keepdim=True)
    return torch.cat([log_probs.gather(-1, words).exp(), rest], dim=-1)


def _with_rest(kl=forward_kl, p_words=lambda p, q: p, q_words=lambda p, q: p):
    """The reference with another sum over the slots, or with the k likeliest words of another."""

    def answer(log_p, log_q, k):
        return kl(
            _slots(log_p, p_words(log_p, log_q).topk(k, dim=-1).indices).log(),
            _slots(log_q, q_words(log_p, log_q).topk(k, dim=-1).indices).log(),
        )

    return answer


bug_top_k_and_rest.mistakes(
    ("top-k-renormalised",
     "the kept words are renormalised on both sides; the mass of the rest does not matter",
     "a student with too little mass on the rest is noticed",
     lambda *a: kl_of_logs(*(x.log_softmax(dim=-1) for x in _kept(*a)))),
    ("top-k-renormalised",
     "the teacher's kept words are renormalised, so the rest is taught to be impossible",
     "the kept words keep their probabilities",
     lambda *a: kl_of_logs(_kept(*a)[0].log_softmax(dim=-1), _kept(*a)[1])),
    ("top-k-unnormalised",
     "the kept terms alone are summed; a student surer than the teacher gets less than 0",
     "terms for k + 1 slots", lambda *a: kl_of_logs(*_kept(*a))),
    ("top-k-unnormalised",
     "the kept terms alone are summed, and a clamp at 0 hides that they can be negative",
     "a sum that needs no clamp, as the rest is in it",
     lambda *a: kl_of_logs(*_kept(*a)).clamp_min(0)),
    ("argument-ignored",
     "every word has a slot of its own: this is the full KL, which no cache of k words allows",
     "the words outside are told apart no more", lambda log_p, log_q, k: kl_of_logs(log_p, log_q)),
    ("zero-log-zero",
     "right for every k but V: there the last slot is 0 on both sides and gives NaN",
     "a slot with probability 0 adds nothing", _with_rest(kl_of_logs)),
)  # fmt: skip
name_switches(
    bug_top_k_and_rest, _with_rest,
    ("weighed-by-student", "the kept words are the student's favourites",
     "the words that the teacher finds most likely",
     {"p_words": lambda p, q: q, "q_words": lambda p, q: q}),
    ("weighed-by-student", "each model keeps its own favourites, so different words are compared",
     "the same word in the same slot on both sides", {"q_words": lambda p, q: q}),
    ("sign-flipped", "the kept words are the least likely ones",
     "the likeliest words of the teacher",
     {"p_words": lambda p, q: -p, "q_words": lambda p, q: -p}),
    *kl_switches(),
)  # fmt: skip
name_lookalikes(bug_top_k_and_rest, lambda kl: _with_rest(kl=kl))
