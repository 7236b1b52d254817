"""What the code of every card starts from: chapter 4's teacher P and student Q, and short names."""

from __future__ import annotations

import itertools
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdlib.losses.divergences import cross_entropy, entropy, forward_kl

__all__ = [
    "F", "cross_entropy", "draw", "entropy", "forward_kl", "itertools", "log_p", "log_q", "logs",
    "math", "nn", "p", "q", "torch",
]  # fmt: skip


def logs(*probabilities: float) -> Tensor:
    """The logarithms of probabilities."""
    return torch.tensor(probabilities, dtype=torch.float64).log()


def draw(*shape: int, seed: int = 0) -> Tensor:
    """Normally distributed numbers, the same in every run."""
    source = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=source, dtype=torch.float64)


log_p, log_q = logs(0.7, 0.2, 0.1), logs(0.6, 0.3, 0.1)
p, q = log_p.exp(), log_q.exp()
