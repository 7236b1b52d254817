"""Where in a conversation the losses are: by turn, and by the length of the answer."""

from __future__ import annotations

from typing import Any

import numpy as np

from kdlib.data.blocks import Blocks
from kdlib.reports.fields import MODELS, NGRAM
from kdlib.reports.score_file import Scores
from kdlib.reports.where_lost import position_bins

MOST_TURNS = 4  # later answers are counted together


def by_answer(scores: Scores, blocks: Blocks) -> dict[str, Any]:
    """The entry of a report on the answers of records.

    Args:
        scores: of all models.
        blocks: the test, rows of records.

    Returns:
        "turn" and "length": lists over bins, with the "first" and the "last" value of each, the
        number of "tokens" and for each model the mean cross-entropy, nats.
    """
    assert blocks.answer is not None
    number = blocks.answer[:, 1:][blocks.counted()].numpy()
    length = _answer_lengths(scores.layout.block, number)
    return {
        "turn": _bins(scores, number, np.minimum(number, MOST_TURNS)),
        "length": _bins(scores, length, position_bins(length)),
    }


def _answer_lengths(row: np.ndarray, number: np.ndarray) -> np.ndarray:
    """For each token the tokens of the answer that it belongs to: (T,)."""
    _, answer, tokens = np.unique(
        np.stack([row, number]), axis=1, return_inverse=True, return_counts=True
    )
    lengths: np.ndarray = tokens[answer.ravel()]
    return lengths


def _bins(scores: Scores, values: np.ndarray, bins: np.ndarray) -> dict[str, Any]:
    _, index = np.unique(bins, return_inverse=True)
    tokens = np.bincount(index)
    losses = {name: scores.models[name].nll for name in MODELS if name in scores.models}
    if NGRAM in scores.losses:
        losses[NGRAM] = scores.losses[NGRAM]
    each = [values[index == number] for number in range(len(tokens))]
    return {
        "first": [int(found.min()) for found in each],
        "last": [int(found.max()) for found in each],
        "tokens": tokens.tolist(),
    } | {
        name: (np.bincount(index, loss.astype(np.float64)) / tokens).tolist()
        for name, loss in losses.items()
    }
