"""Logits to log-probabilities, in float32 or better."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def log_softmax(logits: Tensor, temperature: float = 1.0) -> Tensor:
    r"""Log-probabilities at temperature T: the log-softmax of the logits divided by T.

    .. math:: \log p_v = \frac{z_v}{T} - \log \sum_u e^{z_u / T}

    Half precision is widened first: in bfloat16 the rounding of the log-probabilities alone can
    double a small KL.

    Args:
        logits: (..., V).
        temperature: the temperature T.

    Returns:
        (..., V), nats, in float32 or better.
    """
    logits = logits.to(accumulation_dtype(logits))
    return F.log_softmax(logits if temperature == 1 else logits / temperature, dim=-1)


def accumulation_dtype(logits: Tensor) -> torch.dtype:
    """The dtype for softmaxes and sums of these logits: float32 or better."""
    return torch.promote_types(logits.dtype, torch.float32)
