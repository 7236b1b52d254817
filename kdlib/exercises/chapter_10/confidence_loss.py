"""A student that learns from its weak teacher and from its own favourites."""

import torch
import torch.nn.functional as F

from kdlib.exercises.authoring.floors import UNLIKELY, no_floor
from kdlib.exercises.authoring.gradients import gradient_in, trains_the_student
from kdlib.exercises.authoring.inputs import logit_pair
from kdlib.exercises.authoring.lookalikes import name_lookalikes
from kdlib.exercises.authoring.switches import name_switches
from kdlib.exercises.kinds.functions import code


@code(
    source=("Q28",),
    difficulty=3,
    minutes=10,
    prompt=(
        "Write `confidence_loss(weak_logits, strong_logits, alpha)`: (1 - alpha) times the "
        "cross-entropy of the strong model against the weak model's distribution, plus alpha times "
        "its cross-entropy against its own favourite words, summed over the rows, as a tensor that "
        "the strong model can learn from. Logits have shape (N, V). The weak model is not trained, "
        "and a favourite is taken as it is: it is a target."
    ),
    hints=(
        "Two targets for each row: one is a distribution, one a single word. Whose word is it?",
        "A favourite is the place of the largest logit. `argmax` passes no gradient on.",
        (
            "`F.cross_entropy(strong_logits, target, reduction='sum')`, once with the weak model's "
            "probabilities, detached, and once with `strong_logits.argmax(dim=-1)`."
        ),
    ),
    explanation=(
        "For fixed favourites it is chapter 5's loss, and its optimum the mixture of the two "
        "targets. From alpha = 1/2 on every favourite confirms itself."
    ),
)
def confidence_loss(weak_logits, strong_logits, alpha):
    """The loss of a student that also trusts its own favourites, summed over rows. -> scalar"""
    p = F.softmax(weak_logits.detach(), dim=-1)
    favourites = strong_logits.argmax(dim=-1)
    from_weak = F.cross_entropy(strong_logits, p, reduction="sum")
    from_itself = F.cross_entropy(strong_logits, favourites, reduction="sum")
    return (1 - alpha) * from_weak + alpha * from_itself


_in_the_weak = gradient_in(0)


def _reaches_the_weak(*call):
    """1 where a gradient reaches the weak model, 0 where none does."""
    if (gradients := _in_the_weak(*call)) is None:
        return None
    return float(any(gradient.any() for gradient in gradients))


for _number, (_rows, _words, _alpha) in enumerate(
    [(5, 4, 0.3), (7, 3, 0.75), (1, 6, 0.5), (3, 5, 0.0), (4, 4, 1.0)]
):
    confidence_loss.probe(
        f"alpha {_alpha}, {_rows} rows", *logit_pair(_rows, _words, seed=60 + _number), _alpha
    )
confidence_loss.probe(
    "where the gradient goes",
    *logit_pair(4, 3, seed=66),
    0.4,
    measure=_reaches_the_weak,
    points_to="teacher-gets-gradient",
    expected="no gradient for the weak model",
)
confidence_loss.probe(
    "huge logits",
    torch.tensor([[4940.0, 5000.0, -5000.0], [0.0, 1.0, 2.0]]),
    torch.tensor([[3060.0, 3000.0, -3000.0], [1.0, 0.0, 0.5]]),
    0.25,
    points_to="softmax-overflow",
    expected="finite values, however large the logits are",
)
confidence_loss.probe(
    "two favourites",
    torch.tensor([[0.0, 1.0, 0.5], [1.0, 0.0, 0.0]]),
    torch.tensor([[2.0, 2.0, 0.0], [0.0, 1.0, -1.0]]),
    0.4,
    points_to="ties-counted-twice",
    expected="one word as the second target, of two that are equal as well",
)
no_floor(
    confidence_loss,
    torch.tensor([[0.0, 1.0, 0.5], [1.0, 0.0, 0.0]]),
    torch.tensor([[1.0, UNLIKELY, 0.0], [0.0, 1.0, UNLIKELY]]),
    0.4,
)
trains_the_student(confidence_loss, *logit_pair(4, 5, seed=68), 0.6, measure=gradient_in(1))


@confidence_loss.also
def confidence_of_mixed_targets(weak_logits, strong_logits, alpha):
    own = F.one_hot(strong_logits.argmax(-1), strong_logits.shape[-1])
    target = (1 - alpha) * weak_logits.detach().softmax(-1) + alpha * own
    return -(target * strong_logits.log_softmax(-1)).sum()


@confidence_loss.also
def confidence_by_the_largest(weak_logits, strong_logits, alpha):
    log_q = strong_logits.log_softmax(-1)
    p = weak_logits.detach().softmax(-1)
    return -(1 - alpha) * (p * log_q).sum() - alpha * log_q.max(dim=-1).values.sum()


def _ce(log_p, log_q):
    return -(log_p.exp() * log_q).sum(dim=-1)


def _at(log_q, words):
    return log_q.gather(-1, words[:, None])[:, 0]


def _own(log_p, log_q):
    """The surprise of the student at its favourite. (N, V), (N, V) -> (N,)"""
    return -_at(log_q, log_q.argmax(dim=-1))


def _confidence(
    weights=lambda a: (1 - a, a),
    kl=_ce,
    own=_own,
    weak_mean=False,
    own_mean=False,
    of_student=lambda strong: strong.log_softmax(dim=-1),
):
    """The loss with other weights, another second target, another comparison, or means."""

    def answer(weak, strong, alpha):
        log_p, log_q = weak.detach().log_softmax(dim=-1), of_student(strong)
        for_weak, for_own = weights(alpha)
        from_weak, from_own = kl(log_p, log_q), own(log_p, log_q)
        from_weak = from_weak.mean() if weak_mean else from_weak.sum()
        from_own = from_own.mean() if own_mean else from_own.sum()
        return for_weak * from_weak + for_own * from_own

    return answer


def _attached(weak, strong, alpha):
    log_q = strong.log_softmax(dim=-1)
    from_weak = -(weak.softmax(dim=-1) * log_q).sum()
    return (1 - alpha) * from_weak - alpha * log_q.max(dim=-1).values.sum()


def _with_all_ties(weak, strong, alpha):
    log_q = strong.log_softmax(dim=-1)
    target = (1 - alpha) * weak.detach().softmax(dim=-1)
    own = strong == strong.amax(dim=-1, keepdim=True)
    return -((target + alpha * own) * log_q).sum()


def _by_definition(logits):
    return (logits.exp() / logits.exp().sum(dim=-1, keepdim=True)).log()


confidence_loss.mistakes(
    ("teacher-gets-gradient", "the value is right, but a gradient flows into the weak model",
     "a weak model that stays as it is", _attached),
    ("ties-counted-twice", "where two words are the favourite, both count in full",
     "one word as the second target of each row",
     _with_all_ties),
    ("softmax-overflow", "right for small logits, not finite for huge ones",
     "the same care for huge logits, where exp() overflows",
     lambda w, s, a: confidence_loss.reference(_by_definition(w), _by_definition(s), a)),
)  # fmt: skip
name_switches(
    confidence_loss, _confidence,
    ("favourite-of-the-teacher",
     "the weak model's favourite is the second target: the student hears its supervisor twice",
     "the word that the student itself likes best",
     {"own": lambda log_p, log_q: -_at(log_q, log_p.argmax(dim=-1))}),
    ("favourite-of-the-teacher",
     "the second target is the favourite of both models together",
     "the word that the student itself likes best",
     {"own": lambda log_p, log_q: -_at(log_q, (log_p + log_q).argmax(dim=-1))}),
    ("own-opinion-kept-soft",
     "the student is compared with its own whole distribution: the second term is its entropy",
     "a single word of each row as the second target",
     {"own": lambda log_p, log_q: -(log_q.exp() * log_q).sum(dim=-1)}),
    ("own-opinion-kept-soft",
     "the student's whole distribution stands as a fixed target: its pull on the student is zero",
     "a single word of each row as the second target",
     {"own": lambda log_p, log_q: -(log_q.detach().exp() * log_q).sum(dim=-1)}),
    ("weighed-by-student",
     "the favourite's surprise is multiplied by the student's probability of it",
     "the whole surprise of a word that is a target",
     {"own": lambda log_p, log_q: -(log_q.exp() * log_q).gather(
         -1, log_q.argmax(dim=-1, keepdim=True))[:, 0]}),
    ("probs-for-log-probs", "the favourite's probability is charged, not its surprise",
     "minus the logarithm of its probability",
     {"own": lambda log_p, log_q: 1 - log_q.exp().amax(dim=-1)}),
    ("softmax-twice", "the student's probabilities go through a second softmax",
     "one softmax for each model",
     {"of_student": lambda strong: strong.softmax(dim=-1).log_softmax(dim=-1)}),
    ("sign-flipped", "the favourite's term has the wrong sign: a sure student pays more",
     "both terms fall as their target becomes likelier", {"weights": lambda a: (1 - a, -a)}),
    ("sign-flipped", "the weak model's term has the wrong sign",
     "both terms fall as their target becomes likelier", {"weights": lambda a: (a - 1, a)}),
    ("argmax-sign", "this is something to be maximised", "a loss: smaller is better",
     {"weights": lambda a: (a - 1, -a)}),
    ("lambda-direction", "alpha weighs the weak model's term",
     "at alpha 0 the weak model alone", {"weights": lambda a: (a, 1 - a)}),
    ("conventions-mixed",
     "the weak model's term keeps its full weight: that is the convention with one weight",
     "two weights that sum to 1", {"weights": lambda a: (1, a)}),
    ("conventions-mixed", "the favourite's term has the full weight at every alpha",
     "two weights that sum to 1", {"weights": lambda a: (1 - a, 1)}),
    ("argument-ignored", "all alphas give the same value", "at alpha 0 the weak model alone",
     {"weights": lambda a: (1, 1)}),
    ("argument-ignored", "all alphas give the same value: half and half",
     "at alpha 0 the weak model alone", {"weights": lambda a: (0.5, 0.5)}),
    ("term-left-out", "the student's favourites have no influence",
     "at alpha 1 the student's favourites alone", {"weights": lambda a: (1 - a, 0)}),
    ("term-left-out", "the weak model has no influence", "at alpha 0 the weak model alone",
     {"weights": lambda a: (0, a)}),
    ("kl-for-cross-entropy",
     "the weak model's entropy is subtracted: a student that agrees pays nothing",
     "the student's surprise alone",
     {"kl": lambda log_p, log_q: (log_p.exp() * (log_p - log_q)).sum(dim=-1)}),
    ("weighed-by-student", "the student's probabilities weigh the weak model's surprise",
     "weights from the weak model",
     {"kl": lambda log_p, log_q: -(log_q.exp() * log_p).sum(dim=-1)}),
    ("hard-for-soft", "of the weak model only its first choice has an influence",
     "the weak model's whole distribution",
     {"kl": lambda log_p, log_q: -log_q.gather(-1, log_p.argmax(-1, keepdim=True))[:, 0]}),
    ("mean-over-vocab", "the larger the vocabulary, the smaller the weak model's term",
     "a sum over the vocabulary",
     {"kl": lambda log_p, log_q: -(log_p.exp() * log_q).mean(dim=-1)}),
    ("mean-for-sum", "each term is divided by the number of rows", "sums over the rows",
     {"weak_mean": True, "own_mean": True}),
    ("mean-for-sum", "the weak model's term is a mean over the rows, the favourites' a sum",
     "two sums, so that alpha weighs what it says", {"weak_mean": True}),
    ("mean-for-sum", "the favourites' term is a mean over the rows, the weak model's a sum",
     "two sums, so that alpha weighs what it says", {"own_mean": True}),
)  # fmt: skip


@confidence_loss.symptom(
    "batch-for-row",
    seen="there is one value for each row",
    expected="one value for all rows",
)
def _(results):
    return results["alpha 0.3, 5 rows"].shape == (5,) and results["alpha 0.75, 7 rows"].shape == (
        7,
    )


name_lookalikes(confidence_loss, lambda kl: _confidence(kl=kl), p="weak model")
