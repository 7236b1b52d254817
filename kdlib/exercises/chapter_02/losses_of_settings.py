"""Two or more parameter settings, compared by the objective."""

import math

import torch
import torch.nn.functional as F

from kdlib.exercises.authoring.inputs import log_distributions
from kdlib.exercises.authoring.lookalikes import name_lookalikes
from kdlib.exercises.kinds.functions import code


@code(
    source=("Q11",),
    difficulty=3,
    minutes=8,
    prompt=(
        "Write `losses_of_settings(log_p, settings)`: `settings` is a list of students, each "
        "given by its log-probabilities (N, V) on the same N inputs. Return the objective's "
        "value for each (the sum over inputs of KL(P||Q)) and the position of the best, as a "
        "pair (losses, best)."
    ),
    hints=(
        "One number for each student: the sum over inputs of the divergence from the teacher.",
        "Is the best setting the one with the largest or with the smallest of these numbers?",
        (
            "[(log_p.exp() * (log_p - log_q)).sum() for log_q in settings], then the position of "
            "one of them."
        ),
    ),
)
def losses_of_settings(log_p, settings):
    """The summed KL(P||Q) of every setting, and the position of the best. -> (losses, best)"""
    losses = [float((log_p.exp() * (log_p - log_q)).sum()) for log_q in settings]
    return losses, losses.index(min(losses))


def _settings(rows: int, words: int, count: int, seed: int):
    students = [log_distributions(rows, words, seed=seed + 10 + i) for i in range(count)]
    return log_distributions(rows, words, seed=seed), students


losses_of_settings.probe("two settings", *_settings(3, 5, 2, seed=51))
losses_of_settings.probe("three settings", *_settings(2, 4, 3, seed=52))
losses_of_settings.probe("four settings, one input", *_settings(1, 3, 4, seed=59))
losses_of_settings.probe(
    "one that gets the top right and the rest wrong",
    torch.tensor([[0.70, 0.20, 0.10], [0.60, 0.30, 0.10]]).log(),
    [
        torch.tensor([[0.72, 0.01, 0.27], [0.62, 0.01, 0.37]]).log(),
        torch.tensor([[0.60, 0.27, 0.13], [0.45, 0.46, 0.09]]).log(),
    ],
)


@losses_of_settings.also
def losses_of_settings_stacked(log_p, settings):
    losses = torch.stack([F.kl_div(q, log_p, reduction="sum", log_target=True) for q in settings])
    return losses, losses.argmin()


def _best(losses):
    return losses, losses.index(min(losses))


@losses_of_settings.wrong(
    "argmax-sign",
    seen="the losses are right, and the setting with the largest of them is chosen",
    expected="a loss is better when it is smaller",
)
def losses_of_settings_worst(log_p, settings):
    losses, _ = losses_of_settings.reference(log_p, settings)
    return losses, losses.index(max(losses))


@losses_of_settings.wrong(
    "kl-reversed",
    seen="each student's own probabilities weigh its log-ratios",
    expected="the teacher's probabilities are the weights, the same for all students",
)
def losses_of_settings_reversed(log_p, settings):
    return _best([float((q.exp() * (q - log_p)).sum()) for q in settings])


@losses_of_settings.wrong(
    "ce-called-kl",
    seen="all losses are too large by the same amount, the teacher's entropy",
    expected="losses that would be 0 for a perfect student",
)
def losses_of_settings_cross_entropy(log_p, settings):
    return _best([float(-(log_p.exp() * q).sum()) for q in settings])


@losses_of_settings.wrong(
    "top-1-for-match",
    seen="only how often the first choices agree is counted",
    expected="a comparison of whole distributions",
)
def losses_of_settings_accuracy(log_p, settings):
    top = log_p.argmax(dim=-1)
    return _best([float((q.argmax(dim=-1) != top).sum()) for q in settings])


@losses_of_settings.wrong(
    "top-1-for-match",
    seen="settings are scored by the share of first choices that agree",
    expected="a score to which all words contribute",
)
def losses_of_settings_agreement(log_p, settings):
    top = log_p.argmax(dim=-1)
    shares = [float((q.argmax(dim=-1) == top).float().mean()) for q in settings]
    return shares, shares.index(max(shares))


@losses_of_settings.wrong(
    "hard-for-soft",
    seen="only the teacher's first choice on each input has an effect on the losses",
    expected="losses in which every word counts",
)
def losses_of_settings_hard(log_p, settings):
    top = log_p.argmax(dim=-1)
    return _best([float(F.nll_loss(q, top, reduction="sum")) for q in settings])


@losses_of_settings.wrong(
    "mean-for-sum",
    seen="the losses are means over the inputs",
    expected="sums over the inputs, as in the objective",
)
def losses_of_settings_mean(log_p, settings):
    losses, best = losses_of_settings.reference(log_p, settings)
    return [loss / len(log_p) for loss in losses], best


@losses_of_settings.wrong(
    "mean-over-vocab",
    seen="the losses are means over all entries, words included",
    expected="sums over words and inputs",
)
def losses_of_settings_mean_of_everything(log_p, settings):
    losses, best = losses_of_settings.reference(log_p, settings)
    return [loss / log_p.numel() for loss in losses], best


@losses_of_settings.wrong(
    "nats-for-bits",
    seen="the losses are in bits",
    expected="natural logarithms, as in all losses of this book",
)
def losses_of_settings_in_bits(log_p, settings):
    losses, best = losses_of_settings.reference(log_p, settings)
    return [loss / math.log(2) for loss in losses], best


@losses_of_settings.symptom(
    "argmax-sign",
    seen="the setting with the largest loss is chosen",
    expected="smaller losses are better",
)
def _(results):
    return all(int(r[1]) == r[0].argmax() and len(set(r[0].tolist())) > 1 for r in results.values())


name_lookalikes(
    losses_of_settings,
    lambda kl: lambda log_p, settings: _best([float(kl(log_p, q).sum()) for q in settings]),
)
