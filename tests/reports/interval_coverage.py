"""How often do 95 % intervals cover the truth? `python tests/reports/interval_coverage.py` tells.

The advantage of training s on document d, in nats per token, is

    truth + a_s + b_d + e_sd

with a normal or skewed spread over trainings, documents and what is left. An interval ought to
cover the truth in 95 % of all repetitions, each with new trainings and new documents.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import stats

from kdlib.reports.intervals import advantage

TRUTH = 0.1
BLOCK = 128  # tokens of a block
BLOCK_SPREAD = 0.09  # of a block's nats per token about its document's: 1 / sqrt(128)
RESAMPLES = 300


class World(NamedTuple):
    """Standard deviations in nats per token, and what documents are like.

    lengths: standard deviation of the logarithm of a document's length.
    documents: how b_d is distributed.
    """

    trainings: float
    between: float
    rest: float
    lengths: float = 0.7
    documents: str = "normal"


WORLDS = {
    "both count": World(0.03, 0.05, 0.01),
    "both count, documents of equal length": World(0.03, 0.05, 0.01, lengths=0),
    "trainings count": World(0.05, 0.01, 0.01),
    "documents count": World(0.01, 0.1, 0.01),
    "documents count, very unequal lengths": World(0.01, 0.1, 0.01, lengths=1.2),
    "trainings and documents interact": World(0.01, 0.01, 0.05),
    "heavy tails: documents ~ t with 2 degrees": World(0.03, 0.05, 0.01, documents="heavy"),
    "skewed documents: log-normal": World(0.01, 0.1, 0.01, documents="skewed"),
    "all trainings alike": World(0, 0.05, 0.01),
}


class Sample(NamedTuple):
    """R repetitions: advantages (R, S, D) in nats per token, and blocks (R, D) of the documents."""

    advantages: np.ndarray
    blocks: np.ndarray


Ends = tuple[np.ndarray, np.ndarray]  # low (R,), high (R,)


def draw(world: World, size: tuple[int, int, int], generator: np.random.Generator) -> Sample:
    """Draw (R, S, D): repetitions, trainings, documents."""
    repetitions, trainings, documents = size
    lengths = generator.normal(0, world.lengths, (repetitions, documents))
    blocks = np.maximum(1, np.rint(20 * np.exp(lengths)))
    seeds = generator.normal(0, world.trainings, (repetitions, trainings, 1))
    texts = world.between * _standard(world.documents, (repetitions, 1, documents), generator)
    rest = generator.normal(0, world.rest, size) if world.rest else 0
    return Sample(TRUTH + seeds + texts + rest, blocks)


def _standard(kind: str, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    """Draws with mean 0; of standard deviation 1, where they have one."""
    if kind == "heavy":
        return generator.standard_t(2, shape)
    if kind == "skewed":
        s = 1.5
        draws = generator.lognormal(0, s, shape) - np.exp(s**2 / 2)
        return draws / np.sqrt(np.expm1(s**2) * np.exp(s**2))
    return generator.normal(0, 1, shape)


# --- Ways to an interval ------------------------------------------------------------------------


def ours(sample: Sample) -> Ends:
    """What the reports use."""
    intervals = []
    for differences, blocks in zip(*sample):
        tokens = BLOCK * blocks
        student = np.full(differences.shape, 4.0) * tokens
        intervals.append(advantage(student, student + differences * tokens, tokens))
    return tuple(np.array([i[end] for i in intervals]) for end in ("low", "high"))


def _jackknife(sample: Sample) -> tuple[np.ndarray, ...]:
    """Means (R,), and the variances (R,) over trainings, documents and their interaction."""
    y, share = sample.advantages, sample.blocks / sample.blocks.sum(1, keepdims=True)
    _, S, D = y.shape
    of_training, of_document = (y * share[:, None]).sum(2), y.mean(1)
    mean = of_training.mean(1)
    without = (mean[:, None] - share * of_document) / (1 - share)
    between = (D - 1) / D * D * without.var(1)
    if S == 1:
        return mean, np.zeros_like(mean), between, np.zeros_like(mean)
    left = y - of_document[:, None] - of_training[:, :, None] + mean[:, None, None]
    both = ((share[:, None] * left) ** 2).sum((1, 2)) / S**2 * S / (S - 1) * D / (D - 1)
    return mean, of_training.var(1, ddof=1) / S, between, both


def satterthwaite(sample: Sample) -> Ends:
    """One t for the sum of both variances, with degrees of freedom after Satterthwaite."""
    mean, *variances = _jackknife(sample)
    return _summed(mean, variances, signs=(1, 1, 0), sizes=sample.advantages.shape[1:])


def without_interaction(sample: Sample) -> Ends:
    """The same, where the interaction that both variances contain is taken off once."""
    mean, *variances = _jackknife(sample)
    return _summed(mean, variances, signs=(1, 1, -1), sizes=sample.advantages.shape[1:])


def _summed(mean: np.ndarray, variances: list[np.ndarray], signs, sizes) -> Ends:
    """mean -+ t times the root of the summed variances; a sum below 0 counts as 0."""
    S, D = sizes
    dfs = (max(S - 1, 1), D - 1, max(S - 1, 1) * (D - 1))
    total = np.maximum(sum(sign * v for sign, v in zip(signs, variances)), 0)
    terms = sum((sign * v) ** 2 / df for sign, v, df in zip(signs, variances, dfs))
    half = stats.t.ppf(0.975, np.maximum(total**2 / terms, 1)) * np.sqrt(total)
    return mean - half, mean + half


def crossed_bootstrap(sample: Sample) -> Ends:
    """Percentiles after trainings and documents are both drawn with replacement."""
    _, S, D = sample.advantages.shape
    generator = np.random.default_rng(0)
    trainings = generator.multinomial(S, np.full(S, 1 / S), RESAMPLES) / S
    documents = generator.multinomial(D, np.full(D, 1 / D), RESAMPLES)
    ends = []
    for y, blocks in zip(*sample):
        weights = documents * blocks
        means = ((trainings @ y) * weights).sum(1) / weights.sum(1)
        ends.append(np.quantile(means, [0.025, 0.975]))
    return tuple(np.array(ends).T)


def block_bootstrap(sample: Sample) -> Ends:
    """Percentiles after the blocks of one training are drawn with replacement."""
    generator = np.random.default_rng(0)
    ends = []
    for y, blocks in zip(*sample):
        values = np.repeat(y[0], blocks.astype(int))
        values = values + generator.normal(0, BLOCK_SPREAD, len(values))
        drawn = generator.integers(len(values), size=(RESAMPLES, len(values)))
        ends.append(np.quantile(values[drawn].mean(1), [0.025, 0.975]))
    return tuple(np.array(ends).T)


METHODS: dict[str, Callable[[Sample], Ends]] = {
    "ours": ours,
    "Satterthwaite": satterthwaite,
    "no interaction": without_interaction,
    "crossed bootstrap": crossed_bootstrap,
    "blocks of one": block_bootstrap,
}


# --- How often they cover -----------------------------------------------------------------------


def coverage(method: Callable[[Sample], Ends], sample: Sample) -> tuple[float, float]:
    """Share of intervals that cover the truth, and their median half-width."""
    low, high = method(sample)
    covers = (low <= TRUTH) & (TRUTH <= high)
    return float(covers.mean()), float(np.median(high - low) / 2)


def print_world(name: str, repetitions: int) -> None:
    """A table of one world: coverage in per cent and median half-width."""
    print(f"\n{name}\n{'S':>2}{'D':>4}" + "".join(f"{method:>19}" for method in METHODS))
    for trainings in (1, 2, 3, 5):
        for documents in (3, 6, 12, 30):
            generator = np.random.default_rng([trainings, documents])
            sample = draw(WORLDS[name], (repetitions, trainings, documents), generator)
            row = ""
            for method in METHODS.values():
                if method is block_bootstrap and trainings > 1:
                    continue  # it reads the first training only: see S = 1
                share, half = coverage(method, sample)
                row += f"{100 * share:12.1f} {half:6.3f}"
            print(f"{trainings:2}{documents:4}{row}", flush=True)


if __name__ == "__main__":
    for world in WORLDS:
        print_world(world, repetitions=2000)
