"""The smallest lambda that noise cannot tell from the best."""

import torch

from kdlib.exercises.authoring.inputs import normal, positive
from kdlib.exercises.kinds.functions import code


@code(
    source=("Q26",),
    difficulty=3,
    minutes=9,
    prompt=(
        "Write `choose_lambda(lambdas, losses)`. `losses[i, j]` is the validation loss of the run "
        "with `lambdas[i]` and seed j; the lambdas are in no particular order. Find the lowest "
        "mean loss. Differences below its standard error count as noise; that is the standard "
        "deviation of that lambda's losses over the root of the number of seeds. Return the "
        "smallest lambda whose mean is within one standard error of the lowest."
    ),
    hints=(
        "A mean for each lambda, a band above the lowest mean, the smallest in the band.",
        "The standard error comes from the row of the best lambda: its std over sqrt(seeds).",
        "Keep the lambdas whose mean is at most lowest + error, then take `min` of them.",
    ),
    explanation=(
        "Within the noise the data do not decide, so reasons do: a smaller lambda copies less of "
        "the teacher's errors. (Breiman's rule of one standard error leans the other way: the "
        "simplest model is here the largest lambda.) Write the rule down before looking at the "
        "scores."
    ),
)
def choose_lambda(lambdas, losses):
    """The smallest lambda that the noise cannot tell from the best. list, (K, S) -> number"""
    means = losses.mean(dim=1)
    best = means.argmin()
    error = losses[best].std() / losses.shape[1] ** 0.5
    return min(x for x, mean in zip(lambdas, means) if mean <= means[best] + error)


def _table(*rows: tuple[float, float]):
    """Three seeds for each (mean, spread): their standard deviation is the spread."""
    return torch.tensor([[mean, mean + spread, mean - spread] for mean, spread in rows])


choose_lambda.probe(
    "a clear winner",
    [0.0, 0.5, 1.0, 2.0],
    _table((3.0, 0.03), (2.8, 0.03), (2.5, 0.03), (2.9, 0.03)),
)
_two_alike = _table((3.0, 0.06), (2.52, 0.06), (2.5, 0.06), (2.7, 0.1), (2.9, 0.06))
_two_alike[3] = torch.tensor([2.49, 2.8, 2.81])
choose_lambda.probe("two that noise cannot tell apart", [0.0, 0.5, 1.0, 2.0, 4.0], _two_alike)
choose_lambda.probe(
    "three that noise cannot tell apart",
    [0.0, 0.25, 1.0, 3.0],
    _table((3.0, 0.06), (2.61, 0.06), (2.6, 0.06), (2.62, 0.06)),
)
choose_lambda.probe(
    "lambda 0 as good as the best",
    [1.0, 0.0, 0.5],
    _table((2.5, 0.06), (2.51, 0.06), (2.7, 0.06)),
)
choose_lambda.probe("a wide spread", [0.1, 0.3, 0.9], _table((2.66, 0.2), (2.5, 0.2), (2.9, 0.2)))
choose_lambda.probe(
    "losses in the hundreds, five seeds",  # in this unit a variance is larger than its root
    [1.5, 0.2, 0.7, 0.5, 0.4],
    torch.tensor([[367.0], [373], [365], [367], [370]]) + torch.tensor([9.0, -9, 3, -3, 0]),
)
choose_lambda.probe(
    "one lucky seed",
    [0.1, 0.5, 2.0],
    torch.tensor([[3.0, 3.1, 2.9], [2.40, 2.42, 2.44], [2.1, 2.9, 2.95]]),
)
choose_lambda.probe(
    "in falling order",
    [4.0, 2.0, 1.0, 0.5],
    _table((2.9, 0.06), (2.51, 0.06), (2.5, 0.06), (2.515, 0.06)),
)


def _near_the_band(seeds: int, seed: int, scale: float):
    """Skewed losses, a spread for each lambda, and means just inside and outside of the band."""
    lambdas = torch.tensor([1.0, 0.3125, 0.125, 2.0, 0.625, 0.0625, 4.0])
    inside = 0.97 * (1 - 1 / seeds) ** 0.5  # also for those who divide by S in the variance
    above = torch.tensor([0.0, inside, 1.04, 0.5, 1.5, 2.5, 0.7])  # in errors of the best
    rows = normal(len(lambdas), seeds, seed=seed).exp() * positive(len(lambdas), 1, seed=seed + 1)
    rows = scale * (rows - rows.mean(dim=1, keepdim=True))
    means = 9 + above * rows[0].std() / seeds**0.5
    order = normal(len(lambdas), seed=seed + 2).argsort()
    return lambdas[order].tolist(), (rows + means[:, None])[order]


for _seeds, _seed, _scale in ((4, 577, 1.0), (12, 583, 1.0), (3, 563, 1.0), (20, 591, 0.01)):
    choose_lambda.probe(f"{_seeds} seeds, with neighbours", *_near_the_band(_seeds, _seed, _scale))
choose_lambda.probe(
    "no noise at all", [2.0, 0.5, 1.0], torch.tensor([[2.5], [2.5], [3.0]]).repeat(1, 4)
)


@choose_lambda.also
def choose_lambda_in_loops(lambdas, losses):
    rows = [row.tolist() for row in losses]
    mean = [sum(row) / len(row) for row in rows]
    best = mean.index(min(mean))
    spread = sum((x - mean[best]) ** 2 for x in rows[best]) / (len(rows[best]) - 1)
    limit = mean[best] + (spread / len(rows[best])) ** 0.5
    return sorted(lambdas[i] for i in range(len(rows)) if mean[i] <= limit)[0]


def _band(
    losses, centre=lambda losses: losses.mean(dim=1), spread=None, runs=None, error=lambda x: x
):
    """The places in the band, with one thing changed: the averages, the spread, what divides it."""
    means = centre(losses)
    deviation = spread(losses) if spread else losses[means.argmin()].std()
    above = means - error(deviation / (runs or losses.shape[1]) ** 0.5)
    return [i for i, x in enumerate(above) if x <= means.min()]


def _smallest(**changed):
    return lambda lambdas, losses: min(lambdas[i] for i in _band(losses, **changed))


choose_lambda.mistakes(
    ("argmax-sign", "the lambda with the highest loss is chosen",
     "scores that are losses: the lower the better",
     lambda lambdas, losses: lambdas[int(losses.mean(dim=1).argmax())]),
    ("noise-for-signal", "the lowest mean decides, by whatever small margin",
     "differences below the standard error do not decide",
     lambda lambdas, losses: lambdas[int(losses.mean(dim=1).argmin())]),
    ("lucky-seed", "the lowest loss of any run decides", "each lambda is judged by all its runs",
     lambda lambdas, losses: lambdas[int(losses.min(dim=1).values.argmin())]),
    ("lucky-seed", "only the first seed is looked at", "a mean over all seeds",
     lambda lambdas, losses: lambdas[int(losses[:, 0].argmin())]),
    ("standard-error-wrong", "the band is as wide as the spread of single runs",
     "the uncertainty of a mean, which is smaller than that of one run",
     _smallest(runs=1)),
    ("standard-error-wrong", "each lambda has a band of its own, from the spread of its own losses",
     "one band for all, that of the best lambda",
     _smallest(spread=lambda losses: losses.std(dim=1))),
    ("standard-error-wrong", "the spreads of all lambdas enter the width of the band",
     "the uncertainty of the lowest mean alone",
     _smallest(spread=lambda losses: losses.std(dim=1).mean())),
    ("standard-error-wrong", "the most uncertain of the lambdas sets the width of the band",
     "the width that belongs to the lowest mean",
     _smallest(spread=lambda losses: losses.std(dim=1).max())),
    ("standard-error-wrong", "the band is about two standard errors wide", "one standard error",
     _smallest(error=lambda x: 2 * x)),
    ("standard-error-wrong", "the deviation is divided by the root of the number of lambdas",
     "more seeds for a smaller error; more lambdas change nothing",
     lambda lambdas, losses: _smallest(runs=len(lambdas))(lambdas, losses)),
    ("median-for-mean", "medians are compared, which do not feel a bad run",
     "means, as the standard error is that of a mean",
     _smallest(centre=lambda losses: losses.median(dim=1).values)),
    ("lambda-direction",
     "within the noise the largest lambda is taken, the one that trusts the teacher most",
     "within the noise the least trust in the teacher",
     lambda lambdas, losses: max(lambdas[i] for i in _band(losses))),
    ("wrong-axis", "means are taken over the lambdas, one for each seed",
     "a mean over the seeds for each lambda",
     lambda lambdas, losses: lambdas[int(losses.mean(dim=0).argmin()) % len(lambdas)]),
    ("standard-error-wrong", "the band is a squared quantity: the variance of the mean",
     "an error in the unit of the losses",
     _smallest(error=torch.square)),
    ("order-assumed",
     "the first of the good lambdas in the list is taken, as if the list were sorted",
     "the same choice in whichever order the lambdas come",
     lambda lambdas, losses: lambdas[_band(losses)[0]]),
    ("index-for-value", "a position in the list is returned", "one of the lambdas",
     lambda lambdas, losses: lambdas.index(choose_lambda.reference(lambdas, losses))),
    ("index-for-value", "the position of the lowest mean is returned",
     "a lambda, and not always that of the lowest mean",
     lambda lambdas, losses: losses.mean(dim=1).argmin()),
)  # fmt: skip
