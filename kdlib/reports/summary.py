"""From the scores of every token to the numbers of a report."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kdlib.reports.calibration import calibration
from kdlib.reports.scores import TokenScores


def summarise_losses(nll: np.ndarray, tokens: int, text_bytes: int) -> dict[str, float]:
    r"""How well a model predicts a text.

    With :math:`N` tokens, :math:`\mathrm{CE} = \sum \mathrm{nll} / N` is the cross-entropy,
    :math:`e^{\mathrm{CE}}` the perplexity, and
    :math:`\sum \mathrm{nll} / (\ln 2 \cdot \text{bytes})` are the bits per byte.

    Args:
        nll: (T,) negative log-likelihood of each of the model's tokens, nats.
        tokens: N, the tokens that the sum is divided by; of a teacher with another tokenizer those
            of the student.
        text_bytes: UTF-8 bytes of the text that the counted tokens spell.
    """
    total = float(nll.sum(dtype=np.float64))
    return {
        "cross_entropy": total / tokens,
        "perplexity": math.exp(total / tokens),
        "bits_per_byte": total / math.log(2) / text_bytes,
    }


def summarise_scores(
    scores: TokenScores, tokens: int, text_bytes: int, is_teacher: bool
) -> dict[str, Any]:
    """The measured quantities of one model, named as in the report.

    Args:
        scores: the model's, token by token.
        tokens: as in `summarise_losses`.
        text_bytes: as in `summarise_losses`.
        is_teacher: leave out the comparison with the teacher.
    """
    summary: dict[str, Any] = summarise_losses(scores.nll, tokens, text_bytes)
    summary |= calibration(scores.confidence, scores.correct)
    if not is_teacher:
        agreement = {
            "forward_kl": scores.forward_kl,
            "reverse_kl": scores.reverse_kl,
            "top1_agreement": scores.top1,
            "top5_agreement": scores.shared / 5,
        }
        summary |= {name: float(q.mean(dtype=np.float64)) for name, q in agreement.items()}
    return summary
