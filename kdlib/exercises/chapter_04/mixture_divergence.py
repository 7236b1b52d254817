"""The divergence to a mixture: generalised Jensen-Shannon."""

import torch

from kdlib.exercises.authoring.inputs import log_pair
from kdlib.exercises.authoring.kl import kl_of_probabilities
from kdlib.exercises.authoring.rules import matches
from kdlib.exercises.authoring.switches import name_switches
from kdlib.exercises.kinds.functions import code
from kdlib.losses.divergences import forward_kl, reverse_kl, symmetric_kl, total_variation


@code(
    source=("Q21", "Q23"),
    difficulty=3,
    minutes=9,
    prompt=(
        "Write `mixture_divergence(log_p, log_q, beta)`: with M = beta P + (1 - beta) Q, the value "
        "of beta KL(P||M) + (1 - beta) KL(Q||M) for each row (..., V), with 0 < beta < 1. Half and "
        "half, this is the Jensen-Shannon divergence. P and Q may hold exact zeros, at different "
        "places. The values are enough; no gradient is needed."
    ),
    hints=(
        "Is it probabilities or log-probabilities that are mixed?",
        "Where P is 0, M is not: which terms are harmless, and which one needs care?",
        "torch.xlogy(p, p) - torch.xlogy(p, m) is a term of KL(P||M), and 0 where p is 0.",
    ),
    explanation=(
        "M is nowhere 0 where P or Q is not, so the result is finite for any zeros. Both ends give "
        "0 here; some libraries return a plain KL at beta = 0 and 1."
    ),
)
def mixture_divergence(log_p, log_q, beta):
    """beta KL(P||M) + (1 - beta) KL(Q||M) of each row, M their mixture, in nats. -> (...)"""
    p, q = log_p.exp(), log_q.exp()
    m = beta * p + (1 - beta) * q
    from_p = torch.xlogy(p, p) - torch.xlogy(p, m)
    from_q = torch.xlogy(q, q) - torch.xlogy(q, m)
    return (beta * from_p + (1 - beta) * from_q).sum(dim=-1)


mixture_divergence.probe("half and half", *log_pair(3, 5, seed=451), 0.5)
mixture_divergence.probe("a tenth of the teacher", *log_pair(2, 7, seed=452), 0.1)
mixture_divergence.probe("mostly the teacher", *log_pair(4, 3, seed=453), 0.8)
mixture_divergence.probe("three eighths", *log_pair(3, 4, seed=456), 0.375)
mixture_divergence.probe("hardly any of the teacher", *log_pair(2, 4, seed=457), 0.03)
mixture_divergence.probe("three dimensions", *log_pair(2, 3, 4, seed=454), 0.3)
mixture_divergence.probe("a perfect student", *2 * log_pair(3, 6, seed=455)[:1], 0.25)
mixture_divergence.probe(
    "exact zeros at different places",
    torch.tensor([[0.5, 0.5, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]).log(),
    torch.tensor([[0.0, 0.5, 0.5, 0.0], [0.0, 0.25, 0.75, 0.0]]).log(),
    0.3,
    points_to="zero-log-zero",
    expected="a finite value: the mixture covers both",
)


@mixture_divergence.also
def mixture_divergence_by_entropies(log_p, log_q, beta):
    p, q = log_p.exp(), log_q.exp()
    h_p, h_q, h_m = (torch.special.entr(x).sum(-1) for x in (p, q, beta * p + (1 - beta) * q))
    return h_m - beta * h_p - (1 - beta) * h_q


def _mixture(
    share=lambda beta: beta,
    weights=lambda beta: (beta, 1 - beta),
    mix=lambda p, q, share: share * p + (1 - share) * q,
    kl=kl_of_probabilities,
    size=lambda p: 1,
):
    """The divergence with another mixture, other weights, or another measure to the mixture."""

    def answer(log_p, log_q, beta):
        p, q = log_p.exp(), log_q.exp()
        m = mix(p, q, share(beta))
        for_p, for_q = weights(beta)
        return (for_p * kl(p, m) + for_q * kl(q, m)) / size(p)

    return answer


mixture_divergence.mistakes(
    ("divergences-mixed-up", "there is no mixture: the two KLs between P and Q are weighed",
     "a value that stays finite when P and Q have nothing in common",
     lambda p, q, beta: beta * forward_kl(p, q) + (1 - beta) * reverse_kl(p, q)),
    ("mixture-wrong",
     "right at beta = 1/2 only: the two models have exchanged their shares throughout",
     "beta is the teacher's share, in the mixture and in the sum",
     lambda log_p, log_q, beta: mixture_divergence.reference(log_p, log_q, 1 - beta)),
    ("argument-ignored", "beta has no effect: mixture and sum are always half and half",
     "a result that changes with beta",
     lambda log_p, log_q, beta: mixture_divergence.reference(log_p, log_q, 0.5)),
)  # fmt: skip
mixture_divergence.symptom(
    "divergences-mixed-up",
    seen="beta has no effect, and P and Q are not compared with their mixture",
    expected="a comparison of both models with a mixture",
)(
    matches(
        mixture_divergence,
        *(
            lambda log_p, log_q, _, measure=measure: measure(log_p, log_q)
            for measure in (forward_kl, reverse_kl, symmetric_kl, total_variation)
        ),
    )
)
name_switches(
    mixture_divergence, _mixture,
    ("mixture-wrong", "right at beta = 1/2 only: in the mixture beta stands with the student",
     "the same share of the teacher in the mixture as in the sum",
     {"share": lambda beta: 1 - beta}),
    ("mixture-wrong", "right at beta = 1/2 only: the mixture is always half and half",
     "a mixture that changes with beta", {"share": lambda beta: 0.5}),
    ("mixture-wrong", "right at beta = 1/2 only: in the sum beta stands with the student",
     "the same share of the teacher in the mixture and in the sum",
     {"weights": lambda beta: (1 - beta, beta)}),
    ("mixture-wrong", "right at beta = 1/2 only: the two divergences always weigh the same",
     "weights that change with beta", {"weights": lambda beta: (0.5, 0.5)}),
    ("weights-missing", "the two divergences to the mixture are added without weights",
     "a weighted sum, which lies between the two", {"weights": lambda beta: (1, 1)}),
    ("term-left-out", "only the teacher's divergence to the mixture is there: that is a skew KL",
     "both models are compared with the mixture", {"weights": lambda beta: (1, 0)}),
    ("term-left-out", "only the student's divergence to the mixture is there",
     "a term for the teacher as well", {"weights": lambda beta: (0, 1)}),
    ("term-left-out", "the student is not compared with the mixture",
     "two divergences to the mixture, added", {"weights": lambda beta: (beta, 0)}),
    ("term-left-out", "the teacher is not compared with the mixture",
     "two divergences to one mixture, added", {"weights": lambda beta: (0, 1 - beta)}),
    ("log-of-sum", "logarithms are mixed, which gives no distribution",
     "a mixture of probabilities, which sums to 1",
     {"mix": lambda p, q, share: p**share * q ** (1 - share)}),
    ("rest-not-renormalised", "P and Q are added without shares, so the mixture sums to 2",
     "a mixture that is a distribution", {"mix": lambda p, q, share: p + q}),
    ("kl-reversed", "the mixture provides the weights of the log-ratios",
     "divergences from P and from Q, to the mixture",
     {"kl": lambda p, m: kl_of_probabilities(m, p)}),
    ("ce-called-kl", "P = Q does not give 0: the entropies are still in it", "0 where both agree",
     {"kl": lambda p, m: -torch.xlogy(p, m).sum(dim=-1)}),
    ("zero-log-zero", "rows with exact zeros give NaN", "a finite result for all distributions",
     {"kl": lambda p, m: (p * (p.log() - m.log())).sum(dim=-1)}),
    ("mean-over-vocab", "the more words there are, the smaller the result", "a sum over the words",
     {"size": lambda p: p.shape[-1]}),
)  # fmt: skip
