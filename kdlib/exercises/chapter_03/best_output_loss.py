"""F4, and how much of the teacher it ignores."""

import math

import torch

from kdlib.exercises.authoring.floors import UNLIKELY
from kdlib.exercises.authoring.gradients import (
    first_part,
    gradient_in,
    in_logits,
    trains_the_student,
)
from kdlib.exercises.authoring.inputs import log_pair
from kdlib.exercises.authoring.switches import name_switches
from kdlib.exercises.kinds.functions import code
from kdlib.losses.divergences import cross_entropy


@code(
    source=("Q17", "Q08"),
    difficulty=2,
    minutes=6,
    prompt=(
        "Write `best_output_loss(log_p, log_q)`: for each of B inputs, the loss F4, which trains "
        "on the teacher's likeliest output alone, and the teacher's probability that this ignores. "
        "log_p and log_q (B, N) are the log-probabilities of all outputs; return two tensors (B,). "
        "From the first one the student is to learn."
    ),
    hints=(
        "F4 treats the teacher's favourite as if it had probability 1.",
        "The teacher chooses the output, the student is scored on it. All the rest is ignored.",
        "argmax of log_p in each row; -log_q there; 1 minus the teacher's probability there.",
    ),
    explanation=(
        "Finding a likely output is a search, not a sum: that solves the cost. The ignored "
        "probability is what the student is no longer told."
    ),
)
def best_output_loss(log_p, log_q):
    """F4, and the teacher's probability of all other outputs. (B, N), (B, N) -> (B,), (B,)"""
    best = log_p.argmax(dim=-1, keepdim=True)
    loss = -log_q.gather(-1, best).squeeze(-1)
    return loss, 1 - log_p.gather(-1, best).squeeze(-1).exp()


best_output_loss.probe("four inputs, five outputs", *log_pair(4, 5, seed=361))
best_output_loss.probe("two inputs, nine outputs", *log_pair(2, 9, seed=362))
best_output_loss.probe("three inputs, two outputs", *log_pair(3, 2, seed=363))
best_output_loss.probe("five inputs, six outputs", *log_pair(5, 6, seed=364))
best_output_loss.probe("a perfect student", *2 * log_pair(3, 4, seed=365)[:1])
best_output_loss.probe(
    "a favourite of probability 1e-26",
    torch.tensor([[0.75, 0.25], [0.125, 0.875]]).log(),
    torch.tensor([[UNLIKELY, 0.0], [0.0, UNLIKELY]]),
    points_to="floor-in-logarithm",
    expected="the student's surprise as it is, however large",
)
best_output_loss.probe(
    "a favourite that the student rules out",
    torch.tensor([[0.75, 0.25], [0.125, 0.875]]).log(),
    torch.tensor([[0.0, 1.0], [0.5, 0.5]]).log(),
    points_to="floor-in-logarithm",
    expected="an infinite loss for that input, and for that input only",
)
best_output_loss.probe(
    "two favourites that the student likes alike",
    torch.tensor([[0.4, 0.4, 0.2], [0.25, 0.375, 0.375]]).log(),
    torch.tensor([[0.3, 0.3, 0.4], [0.8, 0.1, 0.1]]).log(),
    points_to="ties-counted-twice",
    expected="one output to train on; the other favourite is ignored",
)
trains_the_student(
    best_output_loss,
    *log_pair(3, 4, seed=366),
    measure=gradient_in(1, inner=in_logits, loss=first_part),
)


@best_output_loss.also
def best_output_loss_in_loops(log_p, log_q):
    losses, ignored = [], []
    for a, b in zip(log_p.tolist(), log_q):
        best = a.index(max(a))
        losses.append(-b[best])
        ignored.append(sum(math.exp(x) for x in a) - math.exp(a[best]))
    return losses, ignored


def _best(
    chosen=lambda log_p, log_q: log_p.argmax(dim=-1),
    loss=lambda log_p, log_q: -log_q,
    rest=lambda log_p, log_q: 1 - log_p.exp(),
    each=lambda pair: pair,
):
    """The pair with one thing changed: the output that is chosen, or what is read off there."""

    def answer(log_p, log_q):
        at = chosen(log_p, log_q)[:, None]
        log_p, log_q = log_p.gather(-1, at)[:, 0], log_q.gather(-1, at)[:, 0]
        return each((loss(log_p, log_q), rest(log_p, log_q)))

    return answer


def _at(place):
    """Chooses the same place in every row."""
    return lambda log_p, log_q: torch.full((len(log_p),), place(log_p))


best_output_loss.mistakes(
    ("whole-for-part", "all outputs enter the loss", "one output for each input",
     lambda log_p, log_q: (cross_entropy(log_p, log_q), _best()(log_p, log_q)[1])),
    ("weighed-by-student", "the second result is what the student leaves out",
     "the teacher's probability of what it did not choose",
     lambda log_p, log_q: (_best()(log_p, log_q)[0], 1 - log_q.exp().max(dim=-1).values)),
)  # fmt: skip
name_switches(
    best_output_loss, _best,
    ("weighed-by-student", "the output that the student likes best is scored",
     "the teacher chooses the output", {"chosen": lambda log_p, log_q: log_q.argmax(dim=-1)}),
    ("wrong-word", "the first output is always scored", "the output depends on the input",
     {"chosen": _at(lambda log_p: 0)}),
    ("wrong-word", "the last output is always scored", "an output that depends on the input",
     {"chosen": _at(lambda log_p: log_p.shape[1] - 1)}),
    ("batch-for-row", "the same output is scored for all inputs: the top of the whole batch",
     "every input has a likeliest output of its own",
     {"chosen": _at(lambda log_p: int(log_p.argmax()) % log_p.shape[1])}),
    ("sign-flipped", "the least likely output is chosen", "the likeliest",
     {"chosen": lambda log_p, log_q: log_p.argmin(dim=-1)}),
    ("weighted-twice",
     "the loss is still multiplied by the teacher's probability of the chosen output",
     "the chosen output counts as certain", {"loss": lambda log_p, log_q: -log_p.exp() * log_q}),
    ("entropy-for-cross-entropy", "the loss does not change when the student does",
     "the student's log-probability of what the teacher chose",
     {"loss": lambda log_p, log_q: -log_p}),
    ("kl-for-cross-entropy",
     "the teacher's log-probability of the chosen output is subtracted from the loss",
     "the student's surprise alone", {"loss": lambda log_p, log_q: log_p - log_q}),
    ("sign-flipped", "the losses are negative", "losses of at least 0",
     {"loss": lambda log_p, log_q: log_q}),
    ("probs-for-log-probs", "the losses lie between -1 and 0: probabilities, not their logarithms",
     "logarithms, with the sign of a loss", {"loss": lambda log_p, log_q: -log_q.exp()}),
    ("complement-for-rate",
     "the second result is the probability that is kept, not the one that is lost",
     "the part that is lost", {"rest": lambda log_p, log_q: log_p.exp()}),
    ("weighed-by-student", "the second result depends on the student",
     "a share of the teacher's probability", {"rest": lambda log_p, log_q: 1 - log_q.exp()}),
    ("log-for-probability", "the second result is above 1: a log-probability was subtracted",
     "a share of probability", {"rest": lambda log_p, log_q: 1 - log_p}),
    ("batch-for-row", "there is one pair of numbers for the whole batch",
     "a pair of numbers for each input",
     {"each": lambda pair: tuple(part.mean() for part in pair)}),
)  # fmt: skip
