"""One optimiser step over a global batch: gradient accumulation, all ranks, one division.

The gradient of a step must not depend on how its batch is divided. A loss is therefore a sum, and
the one division is by the number of predicted tokens in the *global* batch: over all micro-batches
and all ranks. A mean per micro-batch would weigh a short one like a long one.
"""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from kdlib.data.blocks import Blocks
from kdlib.losses.alignment import predicting
from kdlib.losses.objectives import Loss
from kdlib.training.task import Task


@dataclass(frozen=True)
class StepContext:
    """What every step of a training shares.

    Args:
        student: a `StudentWithLoss`, as accelerate has wrapped it (DDP, FSDP2 or not at all).
        optimizer: its optimiser, wrapped likewise.
        task: text, objective, settings and the teacher's targets.
        accelerator: device, precision and ranks.
    """

    student: nn.Module
    optimizer: torch.optim.Optimizer
    task: Task
    accelerator: Accelerator


def take_step(context: StepContext, rows: Tensor) -> Loss:
    """One optimiser step.

    Args:
        context: what is trained, and how.
        rows: (batch,) numbers of the blocks of the global batch, the same on every rank.

    Returns:
        The loss of this rank's share, detached; add up the ranks' to have the batch's.
    """
    task, accelerator = context.task, context.accelerator
    # Every rank knows every mask, and masks are on the CPU: the global count costs no all-reduce.
    count = predicting(task.blocks.mask[rows]).sum().item()
    micro_batches = rows_of_rank(rows, accelerator).tensor_split(
        task.training.gradient_accumulation
    )
    losses = []
    for number, micro in enumerate(micro_batches, start=1):
        # Ranks exchange gradients with the last micro-batch only: once a step, not once each.
        last = number == len(micro_batches)
        with contextlib.nullcontext() if last else accelerator.no_sync(context.student):
            loss = _loss(context, micro)
            # DDP and FSDP average the ranks' gradients, but a sum of sums is wanted: multiplied by
            # the number of ranks, the average is the sum again.
            accelerator.backward(loss.total * (accelerator.num_processes / count))
        losses.append(loss)
    accelerator.clip_grad_norm_(context.student.parameters(), task.training.clip)
    context.optimizer.step()
    context.optimizer.zero_grad()
    return sum_losses(losses)


def _loss(context: StepContext, rows: Tensor) -> Loss:
    """The forward passes of teacher and student over one micro-batch."""
    task, accelerator = context.task, context.accelerator
    ids, mask = to_device(task.blocks, rows, accelerator)
    with accelerator.autocast():
        targets = None if task.targets is None else task.targets(rows, ids)
        loss: Loss = context.student(ids, mask, task.objective, targets)
    return loss


def rows_of_rank(rows: Tensor, accelerator: Accelerator) -> Tensor:
    """This rank's share of a global batch (N,)."""
    return rows[accelerator.process_index :: accelerator.num_processes]


def to_device(
    blocks: Blocks, rows: Tensor, accelerator: Accelerator
) -> tuple[Tensor, Tensor | None]:
    """Ids (B, S) on the device; the mask (B, S) on the CPU (see `StudentWithLoss`), and none where
    all tokens are real: only a stream's last block is padded."""
    ids, mask = blocks.ids[rows], blocks.mask[rows]
    if accelerator.device.type == "cuda":
        ids = ids.pin_memory()  # a copy from pageable memory would not run beside the arithmetic
    return ids.to(accelerator.device, non_blocking=True), None if mask.all() else mask


def sum_losses(losses: list[Loss]) -> Loss:
    """Sums and counts add up; means would not."""
    add = functools.partial(functools.reduce, torch.add)
    return Loss(
        add([loss.total.detach() for loss in losses]),
        add([loss.count for loss in losses]),
        {name: add([loss.parts[name] for loss in losses]) for name in losses[0].parts},
    )
