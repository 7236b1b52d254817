"""The objective's value on a data set."""

import math

import torch
import torch.nn.functional as F

from kdlib.exercises.authoring.inputs import log_pair
from kdlib.exercises.authoring.lookalikes import name_lookalikes
from kdlib.exercises.kinds.functions import code


@code(
    source=("Q06",),
    difficulty=2,
    minutes=6,
    prompt=(
        "Write `dataset_loss(log_p, log_q)`: the objective's value on a data set of N inputs, with "
        "KL(P||Q) as the loss. Both arguments are log-probabilities (N, V), teacher first. The "
        "teacher may hold exact zeros, that is, log-probabilities of minus infinity."
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


dataset_loss.probe("three inputs, five words", *log_pair(3, 5, seed=1))
dataset_loss.probe("seven inputs, two words", *log_pair(7, 2, seed=2))
dataset_loss.probe("one input", *log_pair(1, 4, seed=3))
dataset_loss.probe("a perfect student", *2 * log_pair(4, 3, seed=4)[:1])
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


@dataset_loss.wrong(
    "kl-reversed",
    seen="the log-ratios are weighed with the student's probabilities",
    expected="the teacher says how much each output matters",
)
def dataset_loss_reversed(log_p, log_q):
    return dataset_loss.reference(log_q, log_p)


@dataset_loss.wrong(
    "ce-called-kl",
    seen="a perfect student still has a loss",
    expected="a loss of 0 when student and teacher agree",
)
def dataset_loss_cross_entropy(log_p, log_q):
    p = log_p.exp()
    return -torch.where(p > 0, p * log_q, torch.zeros_like(p)).sum()


@dataset_loss.wrong(
    "mean-for-sum",
    seen="the loss does not grow when inputs are added: it is divided by their number",
    expected="a sum over the data set",
)
def dataset_loss_mean(log_p, log_q):
    return dataset_loss.reference(log_p, log_q) / len(log_p)


@dataset_loss.wrong(
    "mean-over-vocab",
    seen="the loss is divided by the number of all entries, words included",
    expected="a sum over words and over inputs",
)
def dataset_loss_mean_of_everything(log_p, log_q):
    return dataset_loss.reference(log_p, log_q) / log_p.numel()


@dataset_loss.wrong(
    "mean-over-vocab",
    seen="the loss is divided by the size of the vocabulary",
    expected="a sum over the words",
)
def dataset_loss_mean_of_words(log_p, log_q):
    return dataset_loss.reference(log_p, log_q) / log_p.shape[-1]


@dataset_loss.wrong(
    "hard-for-soft",
    seen="only the teacher's first choice for each input enters",
    expected="every word enters with the teacher's probability",
)
def dataset_loss_hard(log_p, log_q):
    return F.nll_loss(log_q, log_p.argmax(dim=-1), reduction="sum")


@dataset_loss.wrong(
    "zero-log-zero",
    seen="a teacher with an exact zero gives NaN",
    expected="0 log 0 counts as 0",
)
def dataset_loss_nan(log_p, log_q):
    return (log_p.exp() * (log_p - log_q)).sum()


@dataset_loss.wrong(
    "zero-log-zero",
    seen="a student that rules out what the teacher does gets a finite loss",
    expected="infinity stays infinity; a repaired value would hide a broken student",
)
def dataset_loss_repaired(log_p, log_q):
    return (log_p.exp() * (log_p - log_q)).nan_to_num(0.0, 0.0, 0.0).sum()


@dataset_loss.wrong(
    "probs-for-log-probs",
    seen="log-probabilities are treated as probabilities: a logarithm of them is taken",
    expected="the arguments are logarithms already",
)
def dataset_loss_of_log(log_p, log_q):
    return (log_p * (log_p.abs().log() - log_q.abs().log())).sum()


@dataset_loss.wrong(
    "probs-for-log-probs",
    seen="the student's log-probabilities are turned into probabilities where logarithms belong",
    expected="a difference of logarithms",
)
def dataset_loss_of_probabilities(log_p, log_q):
    p = log_p.exp()
    terms = torch.where(p > 0, p * (log_p - log_q.exp()), torch.zeros_like(p))
    return terms.sum()


@dataset_loss.wrong(
    "weights-missing",
    seen="log-ratios are added without weights",
    expected="each log-ratio is weighed with a probability",
)
def dataset_loss_unweighted(log_p, log_q):
    return (log_p - log_q).sum()


@dataset_loss.wrong(
    "entropy-for-cross-entropy",
    seen="the loss does not change when the student does",
    expected="a value that depends on both models",
)
def dataset_loss_entropy(log_p, log_q):
    return torch.special.entr(log_p.exp()).sum()


@dataset_loss.wrong(
    "batch-for-row",
    seen="there is one value for each input",
    expected="one value for the data set",
)
def dataset_loss_rows(log_p, log_q):
    p = log_p.exp()
    return torch.where(p > 0, p * (log_p - log_q), torch.zeros_like(p)).sum(dim=-1)


name_lookalikes(dataset_loss, lambda kl: lambda log_p, log_q: kl(log_p, log_q).sum())
