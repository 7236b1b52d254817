"""Logits to log-probabilities, in float32 or better."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def log_softmax(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """log softmax(logits / T) over the last dimension, in float32 or better.

    Half precision is widened first: in bfloat16 the rounding of the log-probabilities alone can
    double a small KL.
    """
    logits = logits.to(accumulation_dtype(logits))
    return F.log_softmax(logits if temperature == 1 else logits / temperature, dim=-1)


def accumulation_dtype(logits: Tensor) -> torch.dtype:
    return torch.promote_types(logits.dtype, torch.float32)
