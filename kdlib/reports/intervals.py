"""How sure is a difference? Bootstrap intervals over test blocks.

The two differences of a report: the student's advantage over a control, and the share of the gap
to the teacher that it closes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kdlib.reports.scores import BlockSums

RESAMPLES = 2000

Interval = dict[str, float]  # value, low, high


def advantage(student: BlockSums, control: BlockSums) -> Interval:
    """By how much the student is better than a control.

    Args:
        student: sums of the student.
        control: sums of the control, over the same blocks.

    Returns:
        The control's cross-entropy minus the student's, in nats per token, with its 95 % interval.
    """
    return _interval(
        lambda w: _cross_entropy(control, w) - _cross_entropy(student, w), len(student.tokens)
    )


def gap_closed(teacher: BlockSums, student: BlockSums, control: BlockSums) -> Interval | None:
    r"""Share of the gap between control and teacher that the student closes.

    .. math::

        \frac{\mathrm{CE}_{\text{control}} - \mathrm{CE}_{\text{student}}}
             {\mathrm{CE}_{\text{control}} - \mathrm{CE}_{\text{teacher}}}

    0 is as good as the control, 1 as good as the teacher.

    Args:
        teacher: sums of the teacher.
        student: sums of the student, over the same blocks.
        control: sums of the control, over the same blocks.

    Returns:
        The share with its 95 % interval; None if the teacher is no better than the control, so
        that there is no gap to close.
    """

    def closed(weights: np.ndarray) -> np.ndarray:
        # Numerator and denominator are resampled together: both contain the control's noise.
        control_loss = _cross_entropy(control, weights)
        gap = control_loss - _cross_entropy(teacher, weights)
        share: np.ndarray = (control_loss - _cross_entropy(student, weights)) / gap
        return share

    one = np.ones((1, len(student.tokens)))
    if _cross_entropy(control, one)[0] <= _cross_entropy(teacher, one)[0]:
        return None
    return _interval(closed, len(student.tokens))


def _cross_entropy(sums: BlockSums, weights: np.ndarray) -> np.ndarray:
    """Cross-entropy in nats per token under weights (R, blocks) of the blocks: (R,)."""
    # A ratio of sums: a mean of the blocks' means would weight a padded block like a full one.
    loss: np.ndarray = (weights @ sums.nll) / (weights @ sums.tokens)
    return loss


def _interval(statistic: Callable[[np.ndarray], np.ndarray], blocks: int) -> Interval:
    """The statistic on all blocks, with its 95 % percentile interval from resampled blocks.

    statistic: (R, blocks) weights -> (R,). Models are resampled together, so what makes a block
    hard for all of them cancels in their difference.
    """
    generator = np.random.default_rng(0)  # a fixed seed: the same sums give the same report
    # Drawing blocks with replacement is a multinomial count per block, used as its weight. Blocks
    # and not tokens, because tokens of one block depend on each other.
    weights = generator.multinomial(blocks, np.full(blocks, 1 / blocks), size=RESAMPLES)
    low, high = np.quantile(statistic(weights), [0.025, 0.975])
    return {
        "value": float(statistic(np.ones((1, blocks)))[0]),
        "low": float(low),
        "high": float(high),
    }
