"""Seeded inputs for probes, so that two checks of one answer are equal."""

from __future__ import annotations

import torch
from torch import Tensor


def normal(*shape: int, seed: int, scale: float = 1.0) -> Tensor:
    """Normally distributed numbers, e.g. logits."""
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def distributions(*shape: int, seed: int, scale: float = 1.5) -> Tensor:
    """Distributions over the last dimension."""
    return torch.softmax(normal(*shape, seed=seed, scale=scale), dim=-1)


def log_distributions(*shape: int, seed: int, scale: float = 1.5) -> Tensor:
    """Log-probabilities over the last dimension."""
    return torch.log_softmax(normal(*shape, seed=seed, scale=scale), dim=-1)
