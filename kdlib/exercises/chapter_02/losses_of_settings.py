"""Two or more parameter settings, compared by the objective."""

import math

import torch
import torch.nn.functional as F

from kdlib.exercises.authoring.floors import UNLIKELY
from kdlib.exercises.authoring.inputs import log_distributions
from kdlib.exercises.authoring.kl import kl_of_logs
from kdlib.exercises.authoring.lookalikes import name_lookalikes
from kdlib.exercises.kinds.functions import code


@code(
    source=("Q11",),
    difficulty=3,
    minutes=8,
    prompt=(
        "Write `losses_of_settings(log_p, settings)`: `settings` is a list of students, each "
        "given by its log-probabilities (N, V) on the same N inputs. Return the objective's "
        "value for each (the sum over inputs of KL(P||Q)) and the position of the best, counted "
        "from 0, as a pair (losses, best)."
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
losses_of_settings.probe("one setting", *_settings(3, 4, 1, seed=60))
losses_of_settings.probe(
    "two inputs matched, one missed",
    torch.full((3, 2), 0.5).log(),
    [
        torch.tensor([[0.5, 0.5], [0.99, 0.01], [0.5, 0.5]]).log(),
        torch.tensor([[0.85, 0.15]] * 3).log(),
    ],
)
losses_of_settings.probe("five settings", *_settings(4, 3, 5, seed=73))
losses_of_settings.probe("six settings", *_settings(3, 4, 6, seed=92))
losses_of_settings.probe(
    "a word of probability 1e-26",
    torch.tensor([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]]).log(),
    [
        torch.tensor([[UNLIKELY, 0.0, UNLIKELY], [0.0, UNLIKELY, UNLIKELY]]),
        torch.tensor([[-20.0, 0.0, -20.0], [0.0, -20.0, -20.0]]),
    ],
    points_to="floor-in-logarithm",
    expected="the logarithm as it is, however small the probability",
)


@losses_of_settings.also
def losses_of_settings_stacked(log_p, settings):
    losses = torch.stack([F.kl_div(q, log_p, reduction="sum", log_target=True) for q in settings])
    return losses, losses.argmin()


def _best(losses):
    return losses, losses.index(min(losses))


def _loss(log_p, log_q):
    return float(kl_of_logs(log_p, log_q).sum())


def _settled(best):
    """The right losses, with another choice among them."""

    def answer(log_p, settings):
        losses = [_loss(log_p, log_q) for log_q in settings]
        return losses, best(losses)

    return answer


def _scored(score):
    """Another loss of each student, and the position of the smallest."""
    return lambda log_p, settings: _best([float(score(log_p, log_q)) for log_q in settings])


def _agreement(log_p, log_q):
    return (log_q.argmax(dim=-1) == log_p.argmax(dim=-1)).float().mean()


@losses_of_settings.wrong(
    "top-1-for-match",
    seen="settings are scored by the share of first choices that agree",
    expected="a score to which all words contribute",
)
def losses_of_settings_agreement(log_p, settings):
    shares = [float(_agreement(log_p, log_q)) for log_q in settings]
    return shares, shares.index(max(shares))


losses_of_settings.mistakes(
    ("argmax-sign", "the losses are right, and the setting with the largest of them is chosen",
     "a loss is better when it is smaller", _settled(lambda losses: losses.index(max(losses)))),
    ("off-by-one", "the losses are right, and the settings are counted from 1",
     "the position by which the list gives the best setting",
     _settled(lambda losses: losses.index(min(losses)) + 1)),
    ("wrong-word", "the losses are right, and the first setting is chosen, whatever they are",
     "a choice that depends on the losses", _settled(lambda losses: 0)),
    ("wrong-word", "the losses are right, and the last setting is chosen, whatever they are",
     "a choice to which every loss contributes", _settled(lambda losses: len(losses) - 1)),
    ("kl-reversed", "each student's own probabilities weigh its log-ratios",
     "the teacher's probabilities are the weights, the same for all students",
     _scored(lambda log_p, log_q: kl_of_logs(log_q, log_p).sum())),
    ("ce-called-kl", "all losses are too large by the same amount, the teacher's entropy",
     "losses that would be 0 for a perfect student",
     _scored(lambda log_p, log_q: -(log_p.exp() * log_q).sum())),
    ("top-1-for-match", "only how often the first choices agree is counted",
     "a comparison of whole distributions",
     _scored(lambda log_p, log_q: (log_q.argmax(-1) != log_p.argmax(-1)).sum())),
    ("hard-for-soft", "only the teacher's first choice on each input has an effect on the losses",
     "losses in which every word counts",
     _scored(lambda log_p, log_q: F.nll_loss(log_q, log_p.argmax(-1), reduction="sum"))),
    ("mean-for-sum", "the losses are means over the inputs",
     "sums over the inputs, as in the objective",
     _scored(lambda log_p, log_q: kl_of_logs(log_p, log_q).mean())),
    ("mean-over-vocab", "the losses are means over all entries, words included",
     "sums over words and inputs",
     _scored(lambda log_p, log_q: kl_of_logs(log_p, log_q).sum() / log_p.numel())),
    ("nats-for-bits", "the losses are in bits", "natural logarithms, as in all losses of this book",
     _scored(lambda log_p, log_q: kl_of_logs(log_p, log_q).sum() / math.log(2))),
)  # fmt: skip


@losses_of_settings.symptom(
    "argmax-sign",
    seen="the setting with the largest loss is chosen",
    expected="smaller losses are better",
)
def _(results):
    return all(int(r[1]) == r[0].argmax() and len(set(r[0].tolist())) > 1 for r in results.values())


name_lookalikes(losses_of_settings, lambda kl: _scored(lambda log_p, log_q: kl(log_p, log_q).sum()))
