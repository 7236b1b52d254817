"""Seeded inputs for probes, so that two checks of one answer are equal."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def normal(*shape: int, seed: int, scale: float = 1.0) -> Tensor:
    """Normally distributed numbers, e.g. logits."""
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def positive(*shape: int, seed: int) -> Tensor:
    """Numbers above 0.1, e.g. token losses."""
    return normal(*shape, seed=seed).abs() + 0.1


def logit_pair(*shape: int, seed: int, scale: float = 2.0) -> tuple[Tensor, Tensor]:
    """Logits of a teacher and of a student."""
    return normal(*shape, seed=seed, scale=scale), normal(*shape, seed=seed + 500, scale=scale)


def distributions(*shape: int, seed: int, scale: float = 1.5) -> Tensor:
    """Distributions over the last dimension."""
    return torch.softmax(normal(*shape, seed=seed, scale=scale), dim=-1)


def log_distributions(*shape: int, seed: int, scale: float = 1.5) -> Tensor:
    """Log-probabilities over the last dimension."""
    return torch.log_softmax(normal(*shape, seed=seed, scale=scale), dim=-1)


def log_pair(*shape: int, seed: int) -> tuple[Tensor, Tensor]:
    """Log-probabilities of a teacher and of a student."""
    return log_distributions(*shape, seed=seed), log_distributions(*shape, seed=seed + 500)


def two_models(numbers: int, words: int, seed: int) -> tuple[nn.Module, nn.Module]:
    """A teacher with dropout, in training mode, and a linear student. (B, numbers) -> (B, words)"""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        hidden = nn.Linear(numbers, 12), nn.Tanh(), nn.Dropout(0.5)
        last, student = nn.Linear(12, words), nn.Linear(numbers, words)
    with torch.no_grad():
        last.weight.mul_(4.0)  # a teacher with opinions
    return nn.Sequential(*hidden, last).train(), student
