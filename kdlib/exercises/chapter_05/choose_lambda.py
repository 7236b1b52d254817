"""The smallest lambda that noise cannot tell from the best."""

import torch

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
        "the teacher's errors. Write the rule down before looking at the scores."
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


@choose_lambda.also
def choose_lambda_in_loops(lambdas, losses):
    rows = [row.tolist() for row in losses]
    mean = [sum(row) / len(row) for row in rows]
    best = mean.index(min(mean))
    spread = sum((x - mean[best]) ** 2 for x in rows[best]) / (len(rows[best]) - 1)
    limit = mean[best] + (spread / len(rows[best])) ** 0.5
    return sorted(lambdas[i] for i in range(len(rows)) if mean[i] <= limit)[0]


def _band(losses, divide=True, power=1):
    means = losses.mean(dim=1)
    error = losses[means.argmin()].std() / (losses.shape[1] ** 0.5 if divide else 1)
    error = error**power
    return [i for i, mean in enumerate(means) if mean <= means.min() + error]


choose_lambda.mistakes(
    (
        "argmax-sign",
        "the lambda with the highest loss is chosen",
        "scores that are losses: the lower the better",
        lambda lambdas, losses: lambdas[int(losses.mean(dim=1).argmax())],
    ),
    (
        "noise-for-signal",
        "the lowest mean decides, by whatever small margin",
        "differences below the standard error do not decide",
        lambda lambdas, losses: lambdas[int(losses.mean(dim=1).argmin())],
    ),
    (
        "lucky-seed",
        "the lowest loss of any run decides",
        "each lambda is judged by all its runs",
        lambda lambdas, losses: lambdas[int(losses.min(dim=1).values.argmin())],
    ),
    (
        "lucky-seed",
        "only the first seed is looked at",
        "a mean over all seeds",
        lambda lambdas, losses: lambdas[int(losses[:, 0].argmin())],
    ),
    (
        "standard-error-wrong",
        "the band is as wide as the spread of single runs",
        "the uncertainty of a mean, which is smaller than that of one run",
        lambda lambdas, losses: min(lambdas[i] for i in _band(losses, divide=False)),
    ),
    (
        "lambda-direction",
        "within the noise the largest lambda is taken, the one that trusts the teacher most",
        "within the noise the least trust in the teacher",
        lambda lambdas, losses: max(lambdas[i] for i in _band(losses)),
    ),
    (
        "wrong-axis",
        "means are taken over the lambdas, one for each seed",
        "a mean over the seeds for each lambda",
        lambda lambdas, losses: lambdas[int(losses.mean(dim=0).argmin()) % len(lambdas)],
    ),
    (
        "standard-error-wrong",
        "the band is a squared quantity: the variance of the mean",
        "an error in the unit of the losses",
        lambda lambdas, losses: min(lambdas[i] for i in _band(losses, power=2)),
    ),
    (
        "order-assumed",
        "the first of the good lambdas in the list is taken, as if the list were sorted",
        "the same choice in whichever order the lambdas come",
        lambda lambdas, losses: lambdas[_band(losses)[0]],
    ),
    (
        "index-for-value",
        "a position in the list is returned",
        "one of the lambdas",
        lambda lambdas, losses: lambdas.index(choose_lambda.reference(lambdas, losses)),
    ),
    (
        "index-for-value",
        "the position of the lowest mean is returned",
        "a lambda, and not always that of the lowest mean",
        lambda lambdas, losses: losses.mean(dim=1).argmin(),
    ),
)
