"""A rate over batches with padding."""

import torch

from kdlib.exercises.authoring.inputs import normal
from kdlib.exercises.authoring.switches import name_switches
from kdlib.exercises.kinds.functions import code


@code(
    source=("Q27",),
    difficulty=3,
    minutes=8,
    prompt=(
        "Write `noise_rate(batches)`: the share of tokens whose given label differs from the "
        "checked one. `batches` is a list of triples (checked, given, mask) of shape (B, S), which "
        "differs between batches. The mask is 1 for a token and 0 for padding, where the labels "
        "mean nothing. Every token weighs the same."
    ),
    hints=(
        "A share is one count divided by another; the same positions enter both.",
        "Keep two sums over all batches: tokens that differ, and tokens.",
        "Add ((checked != given) * mask).sum() and mask.sum(); divide once, after the loop.",
    ),
    explanation="The rate decides how far to trust the labels, so it must not depend on batching.",
)
def noise_rate(batches):
    """Share of real tokens with a wrong label, over all batches. -> scalar"""
    wrong_tokens = sum(((checked != given) * mask).sum() for checked, given, mask in batches)
    tokens = sum(mask.sum() for _, _, mask in batches)
    return wrong_tokens / tokens


def _tokens(lengths: list[int], size: int, seed: int, left: bool = False, noise: float = 0.4):
    """Labels of sequences of these lengths, padded to `size`, with other labels in the padding."""
    mask = (torch.arange(size) < torch.tensor(lengths)[:, None]).int()
    mask = mask.flip(-1) if left else mask
    rows = len(lengths)
    checked = normal(rows, size, 9, seed=seed).argmax(dim=-1)
    differ = normal(rows, size, seed=seed + 40) < (noise - 0.5) * 2.5
    return checked, torch.where(differ | (mask == 0), (checked + 1) % 9, checked), mask


def _same_padding(batch):
    checked, given, mask = batch
    return checked, torch.where(mask == 0, checked, given), mask


noise_rate.probe(
    "batches of 2 and 15 tokens",
    [_tokens([2], 4, seed=31, noise=0.9), _tokens([6, 9], 10, seed=32, noise=0.3)],
)
noise_rate.probe(
    "three batches, padded on the left",
    [_tokens([n, 7], 8, seed=33 + n, left=True, noise=0.2 * n) for n in (1, 2, 3)],
)
noise_rate.probe("equal labels in the padding", [_same_padding(_tokens([3, 8, 5], 9, seed=38))])
noise_rate.probe("no padding", [_tokens([6, 6], 6, seed=39), _tokens([4], 4, seed=41, noise=0.8)])
noise_rate.probe(
    "no noise in the tokens",
    [_tokens([3, 5], 7, seed=42, noise=-9.0), _tokens([4], 6, seed=43, noise=-9.0)],
)


@noise_rate.also
def noise_rate_in_loops(batches):
    differ = [
        bool(a != b)
        for checked, given, mask in batches
        for a, b, m in zip(checked.flatten(), given.flatten(), mask.flatten())
        if m
    ]
    return sum(differ) / len(differ)


def _over_all(above, below):
    return sum(x.sum() for x in above) / sum(x.sum() for x in below)


def _rate(
    differ=torch.ne,
    above=lambda mask: mask,
    below=lambda mask: mask,
    mean=_over_all,
    batches_of=lambda batches: batches,
):
    """The share with one thing changed. above, below the fraction bar: what counts of a mask."""

    def answer(batches):
        chosen = batches_of(batches)
        counted = [differ(checked, given) * above(mask) for checked, given, mask in chosen]
        return mean(counted, [below(mask) for _, _, mask in chosen])

    return answer


def _of_batches(above, below):
    return torch.stack([x.sum() / y.sum() for x, y in zip(above, below)])


def _of_rows(above, below):
    return [x.sum(dim=1) / y.sum(dim=1) for x, y in zip(above, below)]


name_switches(
    noise_rate, _rate,
    ("mean-of-means", "batches weigh the same, however many tokens they have",
     "every token weighs the same, in whichever batch it is",
     {"mean": lambda above, below: _of_batches(above, below).mean()}),
    ("mean-of-means", "sequences weigh the same, however long they are",
     "every token weighs the same, in whichever sequence it is",
     {"mean": lambda above, below: torch.cat(_of_rows(above, below)).mean()}),
    ("mean-of-means", "means are taken three times: of sequences, of batches, of all",
     "one division, at the end",
     {"mean": lambda above, below: sum(x.mean() for x in _of_rows(above, below)) / len(above)}),
    ("padding-counted", "padding is counted like tokens, above and below the fraction bar",
     "the mask applied to both counts", {"above": torch.ones_like, "below": torch.ones_like}),
    ("padding-counted", "padding is left out of the wrong labels, and still divides them",
     "a division by the number of real tokens", {"below": torch.ones_like}),
    ("padding-counted", "padding counts among the wrong labels, so that the share can exceed 1",
     "only real tokens among the wrong labels", {"above": torch.ones_like}),
    ("batchmean-over-sequences", "the wrong labels are divided by the number of sequences",
     "a share of tokens, never above 1", {"below": lambda mask: torch.ones(len(mask), 1)}),
    ("sum-for-mean", "the wrong labels are divided by the number of batches",
     "a division by the number of tokens", {"below": lambda mask: torch.ones(1, 1)}),
    ("sum-for-mean", "the result is a number of tokens, not a share",
     "something that does not grow with the data",
     {"mean": lambda above, below: sum(x.sum() for x in above)}),
    ("sum-for-mean", "the batches' shares are added up",
     "one share for all batches together, never above 1",
     {"mean": lambda above, below: _of_batches(above, below).sum()}),
    ("divided-twice", "the batches' shares are added and divided by the number of tokens once more",
     "one division, at the end",
     {"mean": lambda above, below: _of_batches(above, below).sum() / sum(y.sum() for y in below)}),
    ("divided-twice", "the share is divided by the number of tokens again",
     "a share that does not shrink as data are added",
     {"mean": lambda above, below: _over_all(above, below) / sum(y.sum() for y in below)}),
    ("divided-twice", "the share of all tokens is divided by the number of batches",
     "a share that does not depend on the cut into batches",
     {"mean": lambda above, below: _over_all(above, below) / len(above)}),
    ("complement-for-rate", "clean labels give 1: the share of right labels", "0 for clean labels",
     {"differ": torch.eq}),
    ("term-left-out", "only the last batch is looked at", "all batches",
     {"batches_of": lambda batches: batches[-1:]}),
    ("term-left-out", "only the first batch is looked at", "every batch",
     {"batches_of": lambda batches: batches[:1]}),
)  # fmt: skip
