r"""How sure is a difference? Intervals over trainings and documents at once.

Leave out each of S trainings (seeds), then each of D units (documents, or the blocks of a single
one), and see how far the statistic moves: the jackknife. With :math:`n_d` tokens in unit d,

.. math::
    \text{half-width}^2 = t_{S-1}^2 V_{\text{seed}} + t_{K-1}^2 V_{\text{doc}}, \quad
    V = \frac{n - 1}{n} \sum_{i=1}^n (\theta_{(-i)} - \theta)^2, \quad
    K = \frac{(\sum_d n_d)^2}{\sum_d n_d^2}.

A t for each V covers at least 95 % of normal differences, whatever their shares: coverage is
concave in the squared half-width (Banerjee 1960). K is the effective number of units (Kish 1965),
fewer than D where one outweighs others, but at least 2. What a training does to one document alone
is in both V: the interval is too wide rather than too narrow.

In worlds of known truth, 2000 draws each (`python tests/reports/interval_coverage.py`: S from 2 to
5, D from 3 to 30, heavy tails too), it covers 95 to 100 %; one t for the sum (Satterthwaite) 88 to
99 %, the same less the interaction 78 to 98 %, a crossed bootstrap 56 to 98 %, a bootstrap of one
training's blocks 11 to 48 %. The price is width: in the first world, at D = 30, it is 0.18, 0.07
and 0.04 nats to each side for S = 2, 3 and 5, with one t 0.06, 0.05 and 0.04. So train three times
or more. It fails for another training if S = 1 (11 to 97 %), for another document if units are
blocks, and where rare documents decide the mean and few are seen (log-normal: 81 to 97 %).
"""

from __future__ import annotations

import math
from typing import TypedDict

import numpy as np

from kdlib.reports.t_quantiles import t_quantile


class Interval(TypedDict):
    """A value with its 95 % interval; that of a single training speaks of this training alone."""

    value: float
    low: float
    high: float
    trainings: int
    units: int


def advantage(student: np.ndarray, control: np.ndarray, tokens: np.ndarray) -> Interval:
    """By how much the student is better than a control.

    Args:
        student: (S, D) summed negative log-likelihood of each training on each unit, nats.
        control: (S, D), row by row from the same seed as the student's; or (1, D) for what no
            seed changes.
        tokens: (D,) counted tokens of each unit.

    Returns:
        The control's cross-entropy minus the student's, in nats per token, with its interval.

    Raises:
        ValueError: for fewer than two units, shapes that do not fit, or nats that are not finite.
    """
    (student, control), tokens = _matched(tokens, student=student, control=control)
    difference = _leave_one_out(control, tokens) - _leave_one_out(student, tokens)
    return _interval(difference, len(student), tokens)


def gap_closed(
    teacher: np.ndarray, student: np.ndarray, control: np.ndarray, tokens: np.ndarray
) -> Interval | None:
    r"""Share of the gap between control and teacher that the student closes.

    .. math::

        \frac{\mathrm{CE}_{\text{control}} - \mathrm{CE}_{\text{student}}}
             {\mathrm{CE}_{\text{control}} - \mathrm{CE}_{\text{teacher}}}

    0 is as good as the control, 1 as good as the teacher.

    Args:
        teacher: (1, D) or (S, D) summed negative log-likelihood on each unit, nats.
        student: (S, D), likewise.
        control: (S, D), row by row from the same seed as the student's.
        tokens: (D,) counted tokens of each unit.

    Returns:
        The share with its interval; None if the interval of the gap itself is not above 0: the
        teacher is no better than the control, or may be no better, and a share of a gap that may
        be nothing can be any number.

    Raises:
        ValueError: as `advantage`.
    """
    models, tokens = _matched(tokens, teacher=teacher, student=student, control=control)
    of_teacher, of_student, of_control = (_leave_one_out(nll, tokens) for nll in models)
    gap = of_control - of_teacher
    if _interval(gap, len(models[0]), tokens)["low"] <= 0:
        return None
    # No division by 0: each of these gaps is nearer to the whole one than the interval's low end.
    return _interval((of_control - of_student) / gap, len(models[0]), tokens)


def _matched(tokens: np.ndarray, **models: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Each model's nll as (S, D) and the tokens (D,), without the units that count no token."""
    tokens = np.asarray(tokens, dtype=np.float64)
    counted = tokens > 0
    if counted.sum() < 2:
        raise ValueError(
            f"tokens: {counted.sum()} unit with counted tokens, and an interval needs at least 2:"
            " take the blocks of a single document as units"
        )
    trainings = max(len(nll) for nll in models.values())
    for name, nll in models.items():
        if nll.shape not in {(1, len(tokens)), (trainings, len(tokens))}:
            raise ValueError(
                f"{name}: shape {nll.shape}, must be (1, {len(tokens)}) or"
                f" ({trainings}, {len(tokens)}): a row for each training, a column for each unit"
            )
        if not np.isfinite(nll).all():
            raise ValueError(f"{name}: must be finite; it gives some token the probability 0")
    shape = (trainings, int(counted.sum()))
    return [np.broadcast_to(nll[:, counted], shape) for nll in models.values()], tokens[counted]


def _leave_one_out(nll: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Cross-entropy of all, without each training, and without each unit: (1 + S + D,)."""
    of_training, of_unit = nll.sum(1), nll.mean(0)
    everything, count = of_unit.sum(), tokens.sum()
    without_training = everything + (everything - of_training) / max(len(nll) - 1, 1)
    without_unit = (everything - of_unit) / (count - tokens)
    return np.concatenate([[everything / count], without_training / count, without_unit])


def _interval(statistic: np.ndarray, trainings: int, tokens: np.ndarray) -> Interval:
    """The interval of a statistic (1 + S + D,): of all, then without each training, each unit."""
    value, units = statistic[0], tokens.sum() ** 2 / (tokens**2).sum()
    half = math.hypot(
        _half_width(statistic[1 : trainings + 1] - value, trainings - 1),
        _half_width(statistic[trainings + 1 :] - value, max(units - 1, 1)),
    )
    low, high = float(value - half), float(value + half)
    return Interval(value=float(value), low=low, high=high, trainings=trainings, units=len(tokens))


def _half_width(deviations: np.ndarray, df: float) -> float:
    """t times the jackknife's standard error; 0 for a single training, which shows no spread."""
    if df == 0:
        return 0.0
    share = 1 - 1 / len(deviations)
    return t_quantile(df) * math.sqrt(share * (deviations**2).sum())
