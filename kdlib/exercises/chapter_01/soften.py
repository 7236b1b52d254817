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
soften.probe("a single row", normal(6, seed=5), 2.5)
# The rows are so far apart that a logarithm of their sum, rounded to float32, is exact.
soften.probe(
    "huge logits",
    torch.tensor([[10000.0, 9940.0, 0.0], [-20000.0, -20100.0, -20040.0]]),
    2.0,
    points_to="softmax-overflow",
    expected="finite probabilities, however large the logits are",
)
soften.probe(
    "huge differences, and a temperature as huge",
    torch.tensor([[10000.0, 0.0, -5000.0], [-10000.0, 5000.0, 0.0]]),
    5000.0,
    points_to="temperature-after-softmax",
    expected="a temperature that acts before small probabilities are rounded to 0",
)


@soften.also
def soften_by_hand(logits, temperature):
    scaled = logits / temperature
    weights = torch.exp(scaled - scaled.max(dim=-1, keepdim=True).values)
    return weights / weights.sum(dim=-1, keepdim=True)


@soften.also
def soften_by_logarithms(logits, temperature):
    scaled = logits / temperature
    return (scaled - scaled.logsumexp(dim=-1, keepdim=True)).exp()


@soften.wrong(
    "softmax-overflow",
    seen="right for small logits, NaN for huge ones",
    expected="the same care for huge logits, where exp() overflows",
)
def soften_naively(logits, temperature):
    weights = torch.exp(logits / temperature)
    return weights / weights.sum(dim=-1, keepdim=True)


@soften.wrong(
    "temperature-after-softmax",
    seen="the probabilities are raised to a power: right, but for those that were rounded to 0",
    expected="the temperature acts before anything can be rounded to 0",
)
def soften_by_a_power(logits, temperature):
    weights = torch.softmax(logits, dim=-1) ** (1 / temperature)
    return weights / weights.sum(dim=-1, keepdim=True)


soften.mistakes(
    ("temperature-inverted", "at temperature 4 the rows are sharper than at temperature 1",
     "a higher temperature makes rows flatter",
     lambda logits, temperature: torch.softmax(logits * temperature, dim=-1)),
    ("temperature-after-softmax", "at temperature 4 the rows sum to 1/4",
     "rows that sum to 1 at every temperature",
     lambda logits, temperature: torch.softmax(logits, dim=-1) / temperature),
    ("temperature-after-softmax", "every row is nearly uniform, already at temperature 1",
     "at temperature 1 the ordinary probabilities",
     lambda logits, temperature: torch.softmax(torch.softmax(logits, -1) / temperature, dim=-1)),
    ("temperature-ignored", "all temperatures give the same rows",
     "rows that change with the temperature",
     lambda logits, temperature: torch.softmax(logits, dim=-1)),
    ("softmax-wrong-axis", "columns sum to 1, rows do not",
     "every row over the last dimension sums to 1",
     lambda logits, temperature: torch.softmax(logits / temperature, dim=0)),
    ("softmax-wrong-axis", "all rows together sum to 1", "each row sums to 1 by itself",
     lambda logits, temperature: (logits / temperature).flatten().softmax(0).view_as(logits)),
    ("log-for-probability", "all results are negative or 0", "numbers from 0 to 1",
     lambda logits, temperature: torch.log_softmax(logits / temperature, dim=-1)),
    ("hard-for-soft", "every row is one-hot",
     "rows that keep something for the less likely words",
     lambda logits, temperature: F.one_hot(logits.argmax(dim=-1), logits.shape[-1]).float()),
    ("logits-for-probabilities",
     "scaled logits are divided by their sum, so that negative logits give negative shares",
     "shares that are never negative",
     lambda logits, temperature: logits / logits.sum(dim=-1, keepdim=True)),
    ("logits-for-probabilities", "the results are the scaled logits themselves",
     "probabilities: between 0 and 1, with sum 1",
     lambda logits, temperature: logits / temperature),
)  # fmt: skip
