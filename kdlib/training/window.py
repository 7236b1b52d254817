"""The steps since the last line of the log: checked for divergence, and their losses averaged."""

from __future__ import annotations

import time
from typing import Any

import torch
from accelerate import Accelerator

from kdlib.losses.objectives import Loss
from kdlib.training.checkpoint import Position
from kdlib.training.phase import Diverged
from kdlib.training.schedule import Training, learning_rate
from kdlib.training.step import StepResult, sum_losses


def sum_over_ranks(steps: list[StepResult], accelerator: Accelerator) -> list[StepResult]:
    """Sum each step's loss over all ranks, in one all-reduce: all ranks get the same numbers.

    Args:
        steps: the results of some steps, of this rank.
        accelerator: the ranks.

    Returns:
        The results of the same steps: the loss of the global batch in nats, and the norm of its
        gradient, which is NaN or inf on all ranks if it is on one.
    """
    ranks = accelerator.num_processes
    if ranks == 1:
        return steps
    names = steps[0].loss.parts
    # One row per step, so a window costs one all-reduce and not one per step and quantity.
    rows = [
        torch.stack([norm / ranks, loss.total, loss.count, *loss.parts.values()])
        for loss, norm in steps
    ]
    table = accelerator.reduce(torch.stack(rows), reduction="sum")
    return [
        StepResult(Loss(total, count, dict(zip(names, parts))), norm)
        for norm, total, count, *parts in table
    ]


class Window:
    """The steps since the last log line.

    Their results stay on the device until `close`, because reading a number waits for the GPU.

    Attributes:
        training: the settings, for the learning rate of a step.
        position: steps and seconds up to the last closed window.
        accelerator: device and ranks.
        steps: the results of the steps since then, of this rank.
        started: when the clock was last restarted, by ``time.perf_counter``.
    """

    def __init__(self, training: Training, position: Position, accelerator: Accelerator) -> None:
        self.training, self.position, self.accelerator = training, position, accelerator
        self.steps: list[StepResult] = []
        self.restart_clock()

    def restart_clock(self) -> None:
        """Measure time from now on: validating and saving, after a window, are no training."""
        self.started = time.perf_counter()

    def add(self, step: StepResult) -> None:
        """Add the result of one step."""
        self.steps.append(step)

    def close(self, step: int) -> dict[str, Any]:
        """Check every step of the window, advance the position and empty the window.

        Call `restart_clock` before the next step.

        Args:
            step: optimiser steps done. Every rank must call after the same step.

        Returns:
            The line to log: means in nats per token, learning rate, and tokens per second.

        Raises:
            Diverged: if the loss or the gradient of a step is not finite.
        """
        # Summed first: a NaN on one rank is then a NaN on all, so all stop and none waits.
        steps, self.steps = sum_over_ranks(self.steps, self.accelerator), []
        self._refuse_divergence(steps, first=step - len(steps))
        # Read the clock only now: looking for a NaN has waited until the GPU finished the steps.
        elapsed = time.perf_counter() - self.started
        total = sum_losses([loss for loss, _ in steps])
        self.position = Position(step, self.position.seconds + elapsed)
        return {
            "step": step,
            # A sum over a count: a mean of means would weight short batches like long ones.
            "loss": (total.total / total.count).item(),
            **{name: (part / total.count).item() for name, part in total.parts.items()},
            "learning_rate": learning_rate(step - 1, self.training),
            "tokens_per_second": total.count.item() / elapsed,
        }

    def _refuse_divergence(self, steps: list[StepResult], first: int) -> None:
        """Raise `Diverged` for the first of the steps, numbered from `first`, that is not finite."""
        # A finite loss is not enough: the gradient of that step may be NaN, and then the weights.
        table = torch.stack([torch.stack([loss.total / loss.count, norm]) for loss, norm in steps])
        # By step, then the loss before the gradient, which a loss of NaN makes NaN too.
        for offset, column in (~table.isfinite()).nonzero().tolist()[:1]:
            what = ("loss: it", "gradient: its norm")[column]
            raise Diverged(
                f"{what} became {table[offset, column].item()} at step {first + offset + 1},"
                f" learning rate {learning_rate(first + offset, self.training):.2e}; the last good"
                " checkpoint is kept: lower the learning rate and start anew"
            )
