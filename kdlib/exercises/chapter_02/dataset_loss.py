"""The objective's value on a data set."""

import math

import torch
import torch.nn.functional as F

from kdlib.exercises.authoring.floors import UNLIKELY, no_floor
from kdlib.exercises.authoring.inputs import log_pair
from kdlib.exercises.authoring.kl import kl_of_logs
from kdlib.exercises.authoring.lookalikes import name_lookalikes
from kdlib.exercises.kinds.functions import code


@code(
    source=("Q06",),
    difficulty=2,
    minutes=6,
    prompt=(
        "Write `dataset_loss(log_p, log_q)`: the objective's value on a data set of N inputs, with "
        "KL(P||Q) as the loss. Both arguments are log-probabilities (N, V), teacher first. The "
        "teacher may hold exact zeros, that is, log-probabilities of minus infinity. The value is "
        "all that is asked for, and no gradient has to flow from it."
    ),
    hints=(
        "The objective is a sum over inputs; the loss of one input is a sum over outputs.",
        "Weigh the log-ratio of the two distributions with the teacher's probabilities.",
        "p * (log_p - log_q), with 0 where p is 0, summed over everything.",
    ),
)
def dataset_loss(log_p, log_q):
    """Sum over the data set of KL(P||Q), in nats. (N, V), (N, V) -> scalar"""
    p = log_p.exp()
    terms = torch.where(p > 0, p * (log_p - log_q), torch.zeros_like(p))
    return terms.sum()


def _near(rows, words, seed):
    """A teacher, and a student that is nearly right: its loss is small."""
    log_p, other = log_pair(rows, words, seed=seed)
    return log_p, (log_p + 0.1 * other).log_softmax(dim=-1)


dataset_loss.probe("three inputs, five words", *log_pair(3, 5, seed=1))
dataset_loss.probe("seven inputs, two words", *log_pair(7, 2, seed=2))
dataset_loss.probe("one input", *log_pair(1, 4, seed=3))
dataset_loss.probe("a perfect student", *2 * log_pair(4, 3, seed=4)[:1])
dataset_loss.probe("a nearly perfect student", *_near(4, 3, seed=6))
no_floor(
    dataset_loss,
    torch.tensor([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]]).log(),
    torch.tensor([[UNLIKELY, 0.0, UNLIKELY], [0.0, UNLIKELY, UNLIKELY]]),
)
dataset_loss.probe(
    "a teacher with exact zeros",
    torch.tensor([[0.0, 1.0, 0.0], [0.5, 0.25, 0.25]]).log(),
    log_pair(2, 3, seed=5)[1],
    points_to="zero-log-zero",
    expected="what the teacher never does adds nothing",
)
dataset_loss.probe(
    "a student that rules out what the teacher does",
    torch.tensor([[0.5, 0.5, 0.0]]).log(),
    torch.tensor([[0.75, 0.0, 0.25]]).log(),
    points_to="zero-log-zero",
    expected="an infinite loss: no finite number of nats makes up for an impossible word",
)
dataset_loss.probe(
    "a rare word that only the student rules out",
    torch.tensor([[0.0, -25.0]]),
    torch.tensor([[0.0, -torch.inf]]),
    points_to="zero-log-zero",
    expected="an infinite loss: rare is not impossible",
)


@dataset_loss.also
def dataset_loss_in_loops(log_p, log_q):
    total = 0.0
    for row_p, row_q in zip(log_p.tolist(), log_q.tolist()):
        for a, b in zip(row_p, row_q):
            total += math.exp(a) * (a - b) if a > -math.inf else 0.0
    return total


@dataset_loss.also
def dataset_loss_torch(log_p, log_q):
    return F.kl_div(log_q, log_p.exp(), reduction="sum")


dataset_loss.mistakes(
    ("kl-reversed", "the log-ratios are weighed with the student's probabilities",
     "the teacher says how much each output matters",
     lambda log_p, log_q: dataset_loss.reference(log_q, log_p)),
    ("ce-called-kl", "a perfect student still has a loss",
     "a loss of 0 when student and teacher agree",
     lambda log_p, log_q: -torch.where(log_p > -math.inf, log_p.exp() * log_q, 0.0).sum()),
    ("mean-for-sum",
     "the loss does not grow when inputs are added: it is divided by their number",
     "a sum over the data set",
     lambda log_p, log_q: dataset_loss.reference(log_p, log_q) / len(log_p)),
    ("mean-over-vocab", "the loss is divided by the number of all entries, words included",
     "a sum over words and over inputs",
     lambda log_p, log_q: dataset_loss.reference(log_p, log_q) / log_p.numel()),
    ("mean-over-vocab", "the loss is divided by the size of the vocabulary", "a sum over the words",
     lambda log_p, log_q: dataset_loss.reference(log_p, log_q) / log_p.shape[-1]),
    ("hard-for-soft", "only the teacher's first choice for each input enters",
     "every word enters with the teacher's probability",
     lambda log_p, log_q: F.nll_loss(log_q, log_p.argmax(dim=-1), reduction="sum")),
    ("zero-log-zero", "a teacher with an exact zero gives NaN", "0 log 0 counts as 0",
     lambda log_p, log_q: kl_of_logs(log_p, log_q).sum()),
    ("zero-log-zero", "a student that rules out what the teacher does gets a finite loss",
     "infinity stays infinity; a repaired value would hide a broken student",
     lambda log_p, log_q: (log_p.exp() * (log_p - log_q)).nan_to_num(0.0, 0.0, 0.0).sum()),
    ("probs-for-log-probs",
     "log-probabilities are treated as probabilities: a logarithm of them is taken",
     "the arguments are logarithms already",
     lambda log_p, log_q: (log_p * (log_p.abs().log() - log_q.abs().log())).sum()),
    ("probs-for-log-probs",
     "the student's log-probabilities are turned into probabilities where logarithms belong",
     "a difference of logarithms",
     lambda log_p, log_q: dataset_loss.reference(log_p, log_q.exp())),
    ("weights-missing", "log-ratios are added without weights",
     "each log-ratio is weighed with a probability",
     lambda log_p, log_q: (log_p - log_q).sum()),
    ("entropy-for-cross-entropy", "the loss does not change when the student does",
     "a value that depends on both models",
     lambda log_p, log_q: torch.special.entr(log_p.exp()).sum()),
    ("batch-for-row", "there is one value for each input", "one value for the data set",
     lambda log_p, log_q: F.kl_div(log_q, log_p.exp(), reduction="none").sum(dim=-1)),
)  # fmt: skip
name_lookalikes(dataset_loss, lambda kl: lambda log_p, log_q: kl(log_p, log_q).sum())
