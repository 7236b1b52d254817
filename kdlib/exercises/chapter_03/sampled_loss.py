"""F2 estimated from samples of the teacher, with its standard error."""

import math

import torch

from kdlib.exercises.authoring.floors import UNLIKELY
from kdlib.exercises.authoring.gradients import first_part, gradient_in, trains_the_student
from kdlib.exercises.authoring.inputs import log_pair
from kdlib.exercises.authoring.rules import matches
from kdlib.exercises.kinds.functions import code


@code(
    source=("Q16",),
    difficulty=3,
    minutes=8,
    prompt=(
        "N outputs have been drawn from the teacher. log_p and log_q (N,) are the "
        "log-probabilities that teacher and student give to them. Write `sampled_loss(log_p, "
        "log_q)`: the estimate of F2 and its standard error (with N - 1 in the variance), as a "
        "pair. The student is to learn from the estimate: let it be a tensor. Not every argument "
        "need be used."
    ),
    hints=(
        "F2 is an average over the teacher's outputs, and it is the teacher that drew these.",
        "Likely outputs are in the sample more often: is any other weight needed?",
        "The mean of -log_q, and its standard deviation divided by the square root of N.",
    ),
    explanation="The error falls like 1 / sqrt(N), whatever the number of possible outputs.",
)
def sampled_loss(log_p, log_q):
    """Estimate of F2 from samples of the teacher, and its standard error. (N,), (N,) -> a pair"""
    losses = -log_q
    return losses.mean(), losses.std() / math.sqrt(len(losses))


def _drawn(samples: int, outputs: int, seed: int):
    log_p, log_q = log_pair(1, outputs, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    which = torch.multinomial(log_p[0].exp(), samples, replacement=True, generator=generator)
    return log_p[0, which], log_q[0, which]


for _samples, _outputs in ((5, 9), (12, 6), (3, 40), (40, 7)):
    sampled_loss.probe(f"{_samples} samples", *_drawn(_samples, _outputs, seed=350 + _samples))
sampled_loss.probe(
    "an unlikely output among them",
    torch.tensor([0.5, 0.5, 0.25, 0.01]).log(),
    torch.tensor([0.4, 0.4, 0.3, 0.002]).log(),
)
sampled_loss.probe(
    "one of probability 1e-26 among them",
    *(torch.tensor([0.5, 0.375, 0.125]).log(), torch.tensor([-1.0, UNLIKELY, -2.0])),
    points_to="floor-in-logarithm",
    expected="the student's surprise as it is, however large",
)
trains_the_student(sampled_loss, *_drawn(6, 8, seed=356), measure=gradient_in(1, loss=first_part))


@sampled_loss.also
def sampled_loss_by_hand(log_p, log_q):
    losses = [-x for x in log_q]
    mean = sum(losses) / len(losses)
    variance = sum((x - mean) ** 2 for x in losses) / (len(losses) - 1)
    return mean, (variance / len(losses)) ** 0.5


for _id, _seen, _expected, _estimates in (
    ("standard-error-wrong", "the estimate is right, its standard error is not",
     "how far the mean of N samples typically lies off", [lambda log_p, log_q: -log_q.mean()]),
    ("weighted-twice", "the samples are weighed with the teacher's probabilities in the estimate",
     "each sample counts once: likely outputs have been drawn more often",
     [lambda log_p, log_q: -(log_p.exp() * log_q).mean(),
      lambda log_p, log_q: -(log_p.exp() * log_q).sum(),
      lambda log_p, log_q: -(log_p.softmax(dim=-1) * log_q).sum(),
      lambda log_p, log_q: -(log_p.exp() * log_q).sum() / log_p.exp().sum()]),
    ("log-of-sum", "the logarithm is taken of an average probability", "an average of logarithms",
     [lambda log_p, log_q: -log_q.exp().mean().log()]),
    ("probs-for-log-probs", "the estimate is an average of the student's probabilities",
     "an average of logarithms, with the sign of a loss",
     [lambda log_p, log_q: -log_q.exp().mean(), lambda log_p, log_q: log_q.exp().mean()]),
    ("kl-for-cross-entropy", "the log-ratio of the two models is averaged in the estimate",
     "the surprise of the student alone",
     [lambda log_p, log_q: (log_p - log_q).mean(),
      lambda log_p, log_q: (log_p.exp() * (log_p - log_q)).mean(),
      lambda log_p, log_q: (log_p.exp() * (log_p - log_q)).sum()]),
    ("sum-for-mean", "the estimate is a sum over the samples",
     "a mean, which does not grow with the number of samples",
     [lambda log_p, log_q: -log_q.sum()]),
):  # fmt: skip
    sampled_loss.symptom(_id, seen=_seen, expected=_expected)(
        matches(sampled_loss, *_estimates, part=0)
    )


sampled_loss.mistakes(
    ("weighted-twice",
     "each sample is multiplied by the teacher's probability, though it was drawn with it",
     "a plain mean over the samples",
     lambda log_p, log_q: sampled_loss.reference(log_p, log_p.exp() * log_q)),
    ("standard-error-wrong",
     "the second result does not shrink as samples are added: it is the spread of one sample",
     "the uncertainty of the mean", lambda log_p, log_q: (-log_q.mean(), log_q.std())),
    ("standard-error-wrong", "the second result shrinks like 1 / N",
     "four times the samples for half the error",
     lambda log_p, log_q: (-log_q.mean(), log_q.std() / len(log_q))),
    ("standard-error-wrong", "the second result is a squared quantity, the variance of the mean",
     "an error in nats, like the estimate itself",
     lambda log_p, log_q: (-log_q.mean(), log_q.var() / len(log_q))),
    ("standard-error-wrong", "the variance divides by N: with few samples it is too small",
     "one degree of freedom less than samples",
     lambda log_p, log_q: (-log_q.mean(), log_q.std(correction=0) / math.sqrt(len(log_q)))),
    ("sign-flipped", "the estimate is negative", "a loss of at least 0",
     lambda log_p, log_q: (log_q.mean(), log_q.std() / math.sqrt(len(log_q)))),
    ("kl-for-cross-entropy", "the log-ratio of teacher and student is averaged",
     "the student's surprise alone",
     lambda log_p, log_q: sampled_loss.reference(log_p, log_q - log_p)),
    ("entropy-for-cross-entropy", "the estimate does not depend on the student",
     "the surprise of the model that is trained",
     lambda log_p, log_q: sampled_loss.reference(log_q, log_p)),
    ("sum-for-mean", "the estimate grows with the number of samples",
     "an estimate that settles as samples are added",
     lambda log_p, log_q: (-log_q.sum(), log_q.std() * math.sqrt(len(log_q)))),
)  # fmt: skip
