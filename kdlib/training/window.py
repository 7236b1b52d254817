"""The steps since the last line of the log: their losses are summed, checked and averaged."""

from __future__ import annotations

import time
from typing import Any

import torch
from accelerate import Accelerator

from kdlib.losses.objectives import Loss
from kdlib.training.checkpoint import Position
from kdlib.training.phase import Diverged
from kdlib.training.schedule import (
    Training,
    learning_rate,
)
from kdlib.training.step import sum_losses


def sum_over_ranks(losses: list[Loss], accelerator: Accelerator) -> list[Loss]:
    """Sum each step's loss over all ranks, in one all-reduce: all ranks get the same numbers.

    Args:
        losses: one per step, of this rank.
        accelerator: the ranks.

    Returns:
        One loss per step, of the global batch, in nats.
    """
    if accelerator.num_processes == 1:
        return losses
    names = losses[0].parts
    # One row per step, so a window costs one all-reduce and not one per step and quantity.
    rows = [torch.stack([loss.total, loss.count, *loss.parts.values()]) for loss in losses]
    table = accelerator.reduce(torch.stack(rows), reduction="sum")
    return [Loss(total, count, dict(zip(names, parts))) for total, count, *parts in table]


class Window:
    """The losses since the last log line.

    They stay on the device until `close`, because reading a number waits for the GPU.

    Attributes:
        training: the settings, for the learning rate of a step.
        position: steps and seconds up to the last closed window.
        accelerator: device and ranks.
        losses: one per step since then, of this rank.
        started: when the clock was last restarted, by ``time.perf_counter``.
    """

    def __init__(self, training: Training, position: Position, accelerator: Accelerator) -> None:
        self.training, self.position, self.accelerator = training, position, accelerator
        self.losses: list[Loss] = []
        self.restart_clock()

    def restart_clock(self) -> None:
        """Measure time from now on, for example after a validation, which is no training."""
        self.started = time.perf_counter()

    def add(self, loss: Loss) -> None:
        """Add the loss of one step."""
        self.losses.append(loss)

    def close(self, step: int) -> dict[str, Any]:
        """Check every step of the window, advance the position and start the next window.

        Args:
            step: optimiser steps done. Every rank must call after the same step.

        Returns:
            The line to log: means in nats per token, learning rate, and tokens per second.

        Raises:
            Diverged: if the loss of a step is not finite.
        """
        # Summed first: a NaN on one rank is then a NaN on all, so all stop and none waits.
        self.losses = sum_over_ranks(self.losses, self.accelerator)
        means = torch.stack([loss.total / loss.count for loss in self.losses])
        first = step - len(self.losses)
        for offset in (~means.isfinite()).nonzero().flatten().tolist()[:1]:
            raise Diverged(
                f"loss: it became {means[offset].item()} at step {first + offset + 1}, learning"
                f" rate {learning_rate(first + offset, self.training):.2e}; the last good"
                " checkpoint is kept: lower the learning rate and start anew"
            )
        # Read the clock only now: looking for a NaN has waited until the GPU finished the steps.
        elapsed = time.perf_counter() - self.started
        total = sum_losses(self.losses)
        row = {
            "step": step,
            # A sum over a count: a mean of means would weight short batches like long ones.
            "loss": (total.total / total.count).item(),
            **{name: (part / total.count).item() for name, part in total.parts.items()},
            "learning_rate": learning_rate(step - 1, self.training),
            "tokens_per_second": total.count.item() / elapsed,
        }
        self.position = Position(step, self.position.seconds + elapsed)
        self.losses = []
        self.restart_clock()
        return row
