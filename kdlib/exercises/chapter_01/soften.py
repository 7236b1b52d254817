"""A softmax at a temperature."""

import torch
import torch.nn.functional as F

from kdlib.exercises.authoring.inputs import normal
from kdlib.exercises.kinds.functions import code


@code(
    source=("Q04",),
    difficulty=1,
    minutes=5,
    prompt=(
        "Write `soften(logits, temperature)`: the probabilities at a temperature, over the last "
        "dimension. Logits of any size must be safe: 10000 is a legal logit."
    ),
    hints=(
        "A high temperature makes differences between logits matter less.",
        "Temperature acts on the logits, before they become probabilities.",
        "`torch.softmax(..., dim=-1)` of the logits divided by something.",
    ),
)
def soften(logits, temperature):
    """Probabilities of the logits at a temperature; every row sums to 1. (..., V) -> (..., V)"""
    return torch.softmax(logits / temperature, dim=-1)


soften.probe("temperature 1", normal(3, 5, seed=1), 1.0)
soften.probe("temperature 4", normal(3, 5, seed=2, scale=3.0), 4.0)
soften.probe("temperature 1/2", normal(4, 2, seed=3), 0.5)
soften.probe("three dimensions", normal(2, 3, 4, seed=4), 2.0)
soften.probe("a single row", normal(6, seed=5), 3.0)
soften.probe(
    "huge logits",
    torch.tensor([[10000.0, 9998.0, 0.0], [-20000.0, -20004.0, -20001.0]]),
    2.0,
    points_to="softmax-overflow",
    expected="finite probabilities, however large the logits are",
)


@soften.also
def soften_by_hand(logits, temperature):
    scaled = logits / temperature
    weights = torch.exp(scaled - scaled.max(dim=-1, keepdim=True).values)
    return weights / weights.sum(dim=-1, keepdim=True)


@soften.wrong(
    "temperature-inverted",
    seen="at temperature 4 the rows are sharper than at temperature 1",
    expected="a higher temperature makes rows flatter",
)
def soften_times(logits, temperature):
    return torch.softmax(logits * temperature, dim=-1)


@soften.wrong(
    "temperature-after-softmax",
    seen="at temperature 4 the rows sum to 1/4",
    expected="rows that sum to 1 at every temperature",
)
def soften_probabilities(logits, temperature):
    return torch.softmax(logits, dim=-1) / temperature


@soften.wrong(
    "temperature-after-softmax",
    seen="every row is nearly uniform, already at temperature 1",
    expected="at temperature 1 the ordinary probabilities",
)
def soften_twice(logits, temperature):
    return torch.softmax(torch.softmax(logits, dim=-1) / temperature, dim=-1)


@soften.wrong(
    "temperature-ignored",
    seen="all temperatures give the same rows",
    expected="rows that change with the temperature",
)
def soften_not(logits, temperature):
    return torch.softmax(logits, dim=-1)


@soften.wrong(
    "softmax-wrong-axis",
    seen="columns sum to 1, rows do not",
    expected="every row over the last dimension sums to 1",
)
def soften_columns(logits, temperature):
    return torch.softmax(logits / temperature, dim=0)


@soften.wrong(
    "softmax-wrong-axis",
    seen="all rows together sum to 1",
    expected="each row sums to 1 by itself",
)
def soften_everything(logits, temperature):
    return torch.softmax((logits / temperature).flatten(), dim=0).reshape(logits.shape)


@soften.wrong(
    "log-for-probability",
    seen="all results are negative or 0",
    expected="numbers from 0 to 1",
)
def soften_logarithms(logits, temperature):
    return torch.log_softmax(logits / temperature, dim=-1)


@soften.wrong(
    "softmax-overflow",
    seen="right for small logits, NaN for huge ones",
    expected="the same care for huge logits, where exp() overflows",
)
def soften_naively(logits, temperature):
    weights = torch.exp(logits / temperature)
    return weights / weights.sum(dim=-1, keepdim=True)


@soften.wrong(
    "hard-for-soft",
    seen="every row is one-hot",
    expected="rows that keep something for the less likely words",
)
def soften_hard(logits, temperature):
    return F.one_hot(logits.argmax(dim=-1), logits.shape[-1]).float()


@soften.wrong(
    "logits-for-probabilities",
    seen="scaled logits are divided by their sum, so that negative logits give negative shares",
    expected="shares that are never negative",
)
def soften_shares(logits, temperature):
    return logits / logits.sum(dim=-1, keepdim=True)


@soften.wrong(
    "logits-for-probabilities",
    seen="the results are the scaled logits themselves",
    expected="probabilities: between 0 and 1, with sum 1",
)
def soften_without_softmax(logits, temperature):
    return logits / temperature
