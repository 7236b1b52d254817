"""The steps since the last line of the log."""

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
    """Each step's loss summed over all processes, in one exchange: all see the same numbers."""
    if accelerator.num_processes == 1:
        return losses
    names = losses[0].parts
    rows = [torch.stack([loss.total, loss.count, *loss.parts.values()]) for loss in losses]
    table = accelerator.reduce(torch.stack(rows), reduction="sum")
    return [Loss(total, count, dict(zip(names, parts))) for total, count, *parts in table]


class Window:
    """The steps since the last log line, kept on the device: to read a number is to wait for it."""

    def __init__(self, training: Training, position: Position, accelerator: Accelerator) -> None:
        self.training, self.position, self.accelerator = training, position, accelerator
        self.losses: list[Loss] = []
        self.restart_clock()

    def restart_clock(self) -> None:
        self.started = time.perf_counter()

    def add(self, loss: Loss) -> None:
        self.losses.append(loss)

    def close(self, step: int) -> dict[str, Any]:
        """Check every step of the window, advance the position and return the line to log."""
        self.losses = sum_over_ranks(self.losses, self.accelerator)
        means = torch.stack([loss.total / loss.count for loss in self.losses])
        first = step - len(self.losses)
        for offset in (~means.isfinite()).nonzero().flatten().tolist()[:1]:
            raise Diverged(
                f"loss: it became {means[offset].item()} at step {first + offset + 1}, learning"
                f" rate {learning_rate(first + offset, self.training):.2e}; the last good checkpoint is"
                " kept: lower the learning rate and start anew"
            )
        elapsed = time.perf_counter() - self.started
        total = sum_losses(self.losses)
        row = {
            "step": step,
            "loss": (total.total / total.count).item(),
            **{name: (part / total.count).item() for name, part in total.parts.items()},
            "learning_rate": learning_rate(step - 1, self.training),
            "tokens_per_second": total.count.item() / elapsed,
        }
        self.position = Position(step, self.position.seconds + elapsed)
        self.losses = []
        self.restart_clock()
        return row
