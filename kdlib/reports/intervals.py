"""How sure is a difference? Bootstrap intervals over test blocks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kdlib.reports.scores import BlockSums

RESAMPLES = 2000


Interval = dict[str, float]  # value, low, high


def advantage(student: BlockSums, control: BlockSums) -> Interval:
    """Control's cross-entropy minus the student's, nats per token, with its interval."""
    return _interval(
        lambda w: _cross_entropy(control, w) - _cross_entropy(student, w), len(student.tokens)
    )


def gap_closed(teacher: BlockSums, student: BlockSums, control: BlockSums) -> Interval | None:
    """(control - student) / (control - teacher) in cross-entropy: 0 is the control, 1 the teacher.

    None where the teacher is no better than the control: there is no gap to close.
    """

    def closed(weights: np.ndarray) -> np.ndarray:
        control_loss = _cross_entropy(control, weights)
        gap = control_loss - _cross_entropy(teacher, weights)
        share: np.ndarray = (control_loss - _cross_entropy(student, weights)) / gap
        return share

    one = np.ones((1, len(student.tokens)))
    if _cross_entropy(control, one)[0] <= _cross_entropy(teacher, one)[0]:
        return None
    return _interval(closed, len(student.tokens))


def _cross_entropy(sums: BlockSums, weights: np.ndarray) -> np.ndarray:
    loss: np.ndarray = (weights @ sums.nll) / (weights @ sums.tokens)
    return loss


def _interval(statistic: Callable[[np.ndarray], np.ndarray], blocks: int) -> Interval:
    """The statistic on all blocks, and its 95 % percentile interval when blocks are resampled.

    statistic: (R, blocks) weights -> (R,). Models are resampled together, so what makes a block
    hard for all of them cancels in their difference.
    """
    generator = np.random.default_rng(0)
    weights = generator.multinomial(blocks, np.full(blocks, 1 / blocks), size=RESAMPLES)
    low, high = np.quantile(statistic(weights), [0.025, 0.975])
    return {
        "value": float(statistic(np.ones((1, blocks)))[0]),
        "low": float(low),
        "high": float(high),
    }
