"""F2 by the chain rule."""

import torch

from kdlib.exercises.authoring.floors import UNLIKELY, no_floor
from kdlib.exercises.authoring.gradients import gradient_in, in_logits, trains_the_student
from kdlib.exercises.authoring.inputs import log_distributions
from kdlib.exercises.authoring.kl import kl_of_logs
from kdlib.exercises.authoring.lookalikes import kl_switches, name_lookalikes
from kdlib.exercises.authoring.rules import matches, ordinary
from kdlib.exercises.authoring.switches import name_switches
from kdlib.exercises.kinds.functions import code
from kdlib.losses.divergences import cross_entropy


@code(
    source=("Q14", "Q16"),
    difficulty=3,
    minutes=9,
    prompt=(
        "An output has two tokens: V choices for the first, then W for the second. Write "
        "`chain_rule_loss(log_p1, log_p2, log_q1, log_q2)`: F2 over all V * W outputs, from "
        "next-token losses, as a tensor, so that the student can learn from it. log_p1 (V,) is the "
        "teacher's first step; row v of log_p2 (V, W) is its second step after the first token v. "
        "log_q1 and log_q2 are the student's."
    ),
    hints=(
        "The logarithm of a product of two probabilities is a sum: treat the two steps separately.",
        "The second step has a cross-entropy for each first token. How often does each one occur?",
        "Loss of step 1, plus the row losses of step 2 weighed with the teacher's first step.",
    ),
    explanation=(
        "A loss over sequences is a sum of next-token losses, averaged over prefixes that the "
        "teacher writes. Drawing these prefixes at random gives the estimates that scale."
    ),
)
def chain_rule_loss(log_p1, log_p2, log_q1, log_q2):
    """F2 over all outputs of two tokens, in nats. (V,), (V, W), (V,), (V, W) -> scalar"""
    first = -(log_p1.exp() * log_q1).sum()
    second = -(log_p2.exp() * log_q2).sum(dim=-1)
    return first + (log_p1.exp() * second).sum()


def _two_steps(v: int, w: int, seed: int):
    shapes = (v,), (v, w), (v,), (v, w)
    return [log_distributions(*shape, seed=seed + i) for i, shape in enumerate(shapes)]


for _v, _w in ((3, 5), (4, 2), (2, 7), (5, 5)):
    chain_rule_loss.probe(f"{_v} then {_w} tokens", *_two_steps(_v, _w, seed=310 + 10 * _v))
chain_rule_loss.probe("a perfect student", *2 * _two_steps(3, 4, seed=390)[:2])
no_floor(
    chain_rule_loss,
    *_two_steps(2, 3, seed=394)[:2],
    torch.tensor([UNLIKELY, 0.0]),
    torch.tensor([[0.0, UNLIKELY, UNLIKELY], [UNLIKELY, UNLIKELY, 0.0]]),
)
trains_the_student(
    chain_rule_loss, *_two_steps(4, 3, seed=398), measure=gradient_in(2, 3, inner=in_logits)
)


@chain_rule_loss.also
def chain_rule_loss_enumerated(log_p1, log_p2, log_q1, log_q2):
    log_p, log_q = log_p1[:, None] + log_p2, log_q1[:, None] + log_q2
    return -(log_p.exp() * log_q).sum()


@chain_rule_loss.symptom(
    "probs-for-log-probs",
    seen="the result lies between -1 and 0: probabilities are averaged, not their logarithms",
    expected="an average of logarithms, with the sign of a loss",
)
def _(results):
    return all(-1 < float(results[probe.name]) < 0 for probe in ordinary(chain_rule_loss))


def _chain(kl=cross_entropy, first=1.0, weights=lambda p, q: p, size=lambda log_p2: 1):
    """The loss with one thing changed. weights(p, q): how first tokens weigh in the second step."""

    def answer(log_p1, log_p2, log_q1, log_q2):
        second = (weights(log_p1.exp(), log_q1.exp()) * kl(log_p2, log_q2)).sum()
        return (first * kl(log_p1, log_q1) + second) / size(log_p2)

    return answer


def _of_marginals(log_p1, log_p2, log_q1, log_q2):
    p, q = ((a[:, None] + b).logsumexp(dim=0) for a, b in ((log_p1, log_p2), (log_q1, log_q2)))
    return cross_entropy(log_p1, log_q1) + cross_entropy(p, q)


def _of_mean_rows(log_p1, log_p2, log_q1, log_q2):
    p, q = (x.exp().mean(dim=0).log() for x in (log_p2, log_q2))
    return cross_entropy(log_p1, log_q1) + cross_entropy(p, q)


def _of_teachers_marginals(log_p1, log_p2, log_q1, log_q2):
    p, q = ((log_p1[:, None] + x).logsumexp(dim=0) for x in (log_p2, log_q2))
    return cross_entropy(log_p1, log_q1) + cross_entropy(p, q)


chain_rule_loss.symptom(
    "tokens-independent",
    seen="the second token is scored by a distribution that is the same after every first one",
    expected="a second step that depends on the first",
)(matches(chain_rule_loss, _of_mean_rows, _of_teachers_marginals))
chain_rule_loss.symptom(
    "hard-for-soft",
    seen="one token is scored at one step or at both: the teacher's likeliest",
    expected="all tokens at both steps, weighed",
)(
    matches(
        chain_rule_loss,
        lambda a, b, x, y: -x[a.argmax()] - y[a.argmax(), b[a.argmax()].argmax()],
        lambda a, b, x, y: cross_entropy(a, x) - y[a.argmax(), b[a.argmax()].argmax()],
        lambda a, b, x, y: -x[a.argmax()] + cross_entropy(b[a.argmax()], y[a.argmax()]),
    )
)
chain_rule_loss.mistakes(
    ("tokens-independent", "the second token is scored without looking at the first",
     "a second step that depends on what was written", _of_marginals),
    ("hard-for-soft", "a single output is scored, the teacher's likeliest", "all outputs, weighed",
     lambda a, b, x, y: -(x[:, None] + y).flatten()[(a[:, None] + b).argmax()]),
    ("kl-reversed", "teacher and student have exchanged their places",
     "the teacher's probabilities weigh, the student's are in the logarithms",
     lambda a, b, x, y: chain_rule_loss.reference(x, y, a, b)),
)  # fmt: skip
name_switches(
    chain_rule_loss, _chain,
    ("weighed-by-student", "the second step is averaged over first tokens that the student writes",
     "prefixes as often as the teacher writes them", {"weights": lambda p, q: q}),
    ("weights-missing", "the second step is averaged over all first tokens alike",
     "a first token that hardly occurs hardly matters", {"weights": lambda p, q: 1 / len(p)}),
    ("weights-missing", "the losses of the second step are added up over all first tokens",
     "an average over first tokens: only one of them is written", {"weights": lambda p, q: 1}),
    ("hard-for-soft", "the second step is scored after the teacher's likeliest first token only",
     "all first tokens that the teacher may write", {"weights": lambda p, q: p == p.max()}),
    ("term-left-out", "the second step is missing", "both tokens of an output are charged for",
     {"weights": lambda p, q: 0}),
    ("term-left-out", "the first step takes part as a weight only; its own loss is missing",
     "two losses are added", {"first": 0.0}),
    ("kl-for-cross-entropy", "a perfect student has the loss 0",
     "the student's surprise, from which nothing is subtracted", {"kl": kl_of_logs}),
    *kl_switches("kl-reversed", "ce-called-kl", "mean-over-vocab"),
    ("mean-for-sum", "the loss is divided by the number of tokens", "the loss of the whole output",
     {"size": lambda log_p2: 2}),
    ("mean-over-vocab", "the loss is divided by the number of outputs",
     "a weighted sum: the weights sum to 1 already", {"size": torch.numel}),
)  # fmt: skip
name_lookalikes(chain_rule_loss, lambda kl: _chain(kl=kl))
