"""The settings of a training, its optimizer, and the learning rate and blocks of each step."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from kdlib.errors import UserError

FINAL_LEARNING_RATE = 0.05  # as a share of the highest
BETAS = (0.9, 0.95)
WINDOW = 16  # batches, within which blocks of like length are put together


@dataclass(frozen=True)
class Training:
    """How one model is trained."""

    steps: int
    """Optimiser steps."""
    batch: int = 8
    """Blocks per optimiser step, over all processes."""
    gradient_accumulation: int = 1
    """Micro-batches per optimiser step: the same gradient in less memory."""
    learning_rate: float = 3e-3
    """Highest learning rate of the cosine schedule."""
    warmup: float = 0.05
    """Share of the steps in which the learning rate rises from 0."""
    weight_decay: float = 0.1
    """AdamW's decay, on matrices only."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    checkpoint_every: int = 100
    """Optimiser steps between checkpoints."""
    validate_every: int = 100
    """Optimiser steps between looks at the validation split."""

    def __post_init__(self) -> None:
        for name in (
            "steps",
            "batch",
            "gradient_accumulation",
            "checkpoint_every",
            "validate_every",
        ):
            if getattr(self, name) < 1:
                raise UserError(f"{name}: {getattr(self, name)} is too small; use 1 or more")
        for name in ("learning_rate", "clip"):
            if not 0 < getattr(self, name) < math.inf:
                raise UserError(f"{name}: {getattr(self, name)} is not above 0 and finite")
        if not 0 <= self.weight_decay < math.inf:
            raise UserError(f"weight_decay: {self.weight_decay} is not at least 0 and finite")
        if not 0 <= self.warmup < 1:
            raise UserError(f"warmup: {self.warmup} is a share of the steps; use [0, 1)")
        if self.batch % self.gradient_accumulation:
            raise UserError(
                f"gradient_accumulation: {self.gradient_accumulation} does not divide a batch of"
                f" {self.batch} blocks"
            )


def learning_rate(step: int, training: Training) -> float:
    r"""Learning rate of a step: linear warm-up from 0, then cosine decay.

    With :math:`S` steps, of which :math:`W` are warm-up, the highest rate :math:`\eta` and
    :math:`f` = ``FINAL_LEARNING_RATE``, step :math:`s = 0, 1, \dots` has the rate

    .. math::

        \eta_s = \begin{cases}
            \eta \, (s + 1) / W & s < W \\
            \eta \left(f + (1 - f) \, \frac{1}{2}
                \left(1 + \cos \pi \frac{s - W}{S - W}\right)\right) & s \ge W
        \end{cases}

    Args:
        step: number of the step, from 0.
        training: number of steps, share of warm-up and highest rate.
    """
    warmup = round(training.warmup * training.steps)
    if step < warmup:
        return training.learning_rate * (step + 1) / warmup
    progress = (step - warmup) / max(1, training.steps - warmup)
    cosine = (1 + math.cos(math.pi * progress)) / 2
    return training.learning_rate * (FINAL_LEARNING_RATE + (1 - FINAL_LEARNING_RATE) * cosine)


def rows_of_step(
    step: int, blocks: int, batch: int, seed: int, lengths: Tensor | None = None
) -> Tensor:
    """Which blocks a step reads. The data are shuffled anew for every epoch, epochs end to end.

    Where they are of many lengths, those of like length are read together: the others of a batch
    would wait for its longest.

    Args:
        step: number of the step, from 0.
        blocks: number of blocks in the data.
        batch: blocks per step, over all ranks; it may be more than one epoch.
        seed: seed of the shuffles.
        lengths: (blocks,) tokens of each block; None where all are of one length. The same tensor
            in each step: the order of an epoch is remembered by it.

    Returns:
        (batch,) row numbers, the same on every rank.
    """
    positions = torch.arange(step * batch, (step + 1) * batch)
    epochs = positions // blocks
    return torch.cat(
        [
            _shuffled(blocks, batch, seed, int(epoch), lengths)[positions[epochs == epoch] % blocks]
            for epoch in epochs.unique()
        ]
    )


@functools.lru_cache(maxsize=2)  # of two, since a batch may begin in one epoch and end in the next
def _shuffled(blocks: int, batch: int, seed: int, epoch: int, lengths: Tensor | None) -> Tensor:
    """The order (blocks,) in which an epoch reads the data, made once an epoch."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    order = torch.randperm(blocks, generator=generator)
    if lengths is None:
        return order
    # Sorted only within windows of some batches, whose order stays random: sorted throughout, an
    # epoch would begin with all short answers and end with all long ones.
    return torch.cat(
        [_batches_of_like_length(w, batch, lengths, generator) for w in order.split(WINDOW * batch)]
    )


def _batches_of_like_length(
    window: Tensor, batch: int, lengths: Tensor, generator: torch.Generator
) -> Tensor:
    """The rows of a window in batches of like length, the full batches in random order."""
    batches = window[lengths[window].argsort(stable=True)].split(batch)
    full = len(window) // batch
    order = [*torch.randperm(full, generator=generator).tolist(), *range(full, len(batches))]
    return torch.cat([batches[number] for number in order])


def make_optimizer(model: nn.Module, training: Training) -> torch.optim.AdamW:
    """AdamW over the trainable parameters. Gains and biases have no weight decay.

    Args:
        model: the model to train.
        training: learning rate and weight decay.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": training.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=training.learning_rate, betas=BETAS, fused=True)


def set_learning_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    """Set the learning rate of all parameter groups."""
    for group in optimizer.param_groups:
        group["lr"] = value
