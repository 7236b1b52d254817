"""Where a student lost: on rare tokens or common ones, early in a block or late, in which document.

A mean over a test says how much is missing, not what. Each token's loss is therefore sorted three
times into bins, and averaged there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kdlib.reports.score_file import Scores

QUARTERS = (0, 0.25, 0.5, 0.75)


def where_lost(scores: Scores, lesson: np.ndarray, documents: list[str]) -> dict[str, Any]:
    """The entry of a report on where its learners lose to their teacher.

    Args:
        scores: of the teacher and of learners that share its tokens.
        lesson: (V,) how often each token occurs in what the learners were trained on.
        documents: the names of the test documents, in their order.

    Returns:
        "frequency", "position" and "document": lists over bins. The first two have the "first" and
        the "last" value of each bin, the third the "name"; all have the number of "tokens" and, for
        each learner, its mean "forward_kl" and "excess": its loss minus the teacher's, nats.
    """
    layout = scores.layout
    counts = lesson[layout.token]
    ways = {"frequency": (counts, frequency_bins(counts))}
    ways["position"] = (layout.position, position_bins(layout.position))
    found = {
        way: _ends(values, index) | _losses(scores, index) for way, (values, index) in ways.items()
    }
    present, index = np.unique(layout.document, return_inverse=True)
    names = {"name": [documents[number] for number in present.tolist()]}
    return found | {"document": names | _losses(scores, index)}


def frequency_bins(counts: np.ndarray) -> np.ndarray:
    """Sort tokens by how often they were seen in training.

    The tokens that were seen fall into four bins of about the same number of tokens, the most
    frequent first. Equal counts stay together, so there may be fewer bins.

    Args:
        counts: (T,) how often each token of a text occurs in another text.

    Returns:
        (T,) the number of each token's bin, from 0; the last is for those that do not occur.
    """
    seen = counts[counts > 0]
    edges = np.unique(np.quantile(seen, QUARTERS, method="lower")) if len(seen) else seen
    return _renumbered(len(edges) - np.searchsorted(edges, counts, side="right"))


def position_bins(positions: np.ndarray) -> np.ndarray:
    """Sort tokens by how many stand before them in their block: 1, 2, 3 to 4, 5 to 8, and so on.

    Args:
        positions: (T,) 1 or more.

    Returns:
        (T,) the number of each token's bin, from 0.
    """
    return _renumbered(np.ceil(np.log2(positions)).astype(int))


def _renumbered(index: np.ndarray) -> np.ndarray:
    """Bins without gaps between their numbers."""
    numbers: np.ndarray = np.unique(index, return_inverse=True)[1]
    return numbers


def _ends(values: np.ndarray, index: np.ndarray) -> dict[str, list[int]]:
    """The smallest and the largest value in each bin."""
    bins = [values[index == number] for number in range(index.max() + 1)]
    return {"first": [int(b.min()) for b in bins], "last": [int(b.max()) for b in bins]}


def _losses(scores: Scores, index: np.ndarray) -> dict[str, Any]:
    """The number of tokens in each bin, and the mean losses of each learner there."""
    tokens = np.bincount(index)

    def mean(quantity: np.ndarray) -> list[float]:
        means: list[float] = (np.bincount(index, quantity.astype(np.float64)) / tokens).tolist()
        return means

    teacher = scores.models["teacher"]
    learners = {name: model for name, model in scores.models.items() if name != "teacher"}
    return {"tokens": tokens.tolist()} | {
        name: {
            "forward_kl": mean(model.forward_kl),
            "excess": mean(model.nll.astype(np.float64) - teacher.nll),
        }
        for name, model in learners.items()
    }
