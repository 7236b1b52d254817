"""KL from whatever there is, written plainly: pieces of answers, right and wrong.

Where P and Q are both 0 these give NaN if they say so; `kdlib.losses.divergences` never does.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def kl_of_logs(log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL(P||Q) of each row; NaN where both are 0. (..., V), (..., V) -> (...)"""
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)


def kl_of_logits(teacher: Tensor, student: Tensor, temperature: float = 1.0) -> Tensor:
    """KL(P||Q) of each row, in the precision of the logits. (..., V), (..., V) -> (...)"""
    log_p, log_q = (torch.log_softmax(x / temperature, dim=-1) for x in (teacher, student))
    return kl_of_logs(log_p, log_q)


def kl_of_probabilities(p: Tensor, q: Tensor) -> Tensor:
    """KL(P||Q) of each row; zeros count as they should. (..., V), (..., V) -> (...)"""
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(dim=-1)


def kl_of_numbers(p: Sequence[float], q: Sequence[float]) -> float:
    """KL(P||Q) of two lists of probabilities."""
    return float(kl_of_probabilities(*torch.tensor([p, q], dtype=torch.float64)))
