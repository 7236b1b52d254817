"""One optimiser step over a global batch: gradient accumulation over micro-batches and ranks.

The gradient of a step must not depend on how its batch is split. A loss is therefore a sum, and
it is divided once, by the number of predicted tokens in the *global* batch: over all micro-batches
and all ranks. A mean per micro-batch would weight a short one like a long one.
"""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass
from typing import NamedTuple

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from kdlib.data.blocks import Blocks
from kdlib.losses.alignment import predicting
from kdlib.losses.objectives import Loss
from kdlib.training.task import Task


@dataclass(frozen=True)
class StepContext:
    """What every step of a training shares.

    Attributes:
        student: a `StudentWithLoss`, as Accelerate has wrapped it (DDP, FSDP2 or not at all).
        optimizer: its optimizer, wrapped likewise.
        task: text, objective, settings and the teacher's targets.
        accelerator: device, mixed precision and ranks.
    """

    student: nn.Module
    optimizer: torch.optim.Optimizer
    task: Task
    accelerator: Accelerator


class StepResult(NamedTuple):
    """What a step has seen, on the device: reading it would wait for the GPU.

    Attributes:
        loss: of this rank's share in nats, detached; the sum over the ranks is the batch's.
        gradient_norm: 2-norm of the gradient of the whole batch before clipping, the same on every
            rank; NaN or inf if an entry is.
    """

    loss: Loss
    gradient_norm: Tensor


def take_step(context: StepContext, rows: Tensor) -> StepResult:
    r"""Take one optimiser step over a global batch.

    .. math:: g = \nabla \, \frac{1}{N} \sum_{\text{ranks}} \; \sum_{\text{micro-batches}} L

    This is the gradient before clipping. Each :math:`L` is a sum over tokens, and :math:`N` is the
    number of predicted tokens in the global batch.

    Args:
        context: what is trained, and how.
        rows: (batch,) row numbers of the blocks of the global batch, the same on every rank.

    Returns:
        The loss, and the norm of the gradient.
    """
    task, accelerator = context.task, context.accelerator
    # Every rank has all masks, on the CPU: the global count costs no all-reduce and no GPU sync.
    count = predicting(task.blocks.mask[rows]).sum().item()
    # Every rank makes the same number of passes: DDP and FSDP wait for all ranks in each of them.
    micro_batches = rows_of_rank(rows, accelerator).tensor_split(
        task.training.gradient_accumulation
    )
    losses = []
    for number, micro in enumerate(micro_batches, start=1):
        # Gradients are reduced over the ranks with the last micro-batch only: once per step, not
        # once each. The price under FSDP2: until then a rank holds them unsharded.
        last = number == len(micro_batches)
        with contextlib.nullcontext() if last else accelerator.no_sync(context.student):
            loss = _loss(context, micro)
            # DDP and FSDP average the gradients over the ranks, but the sum is needed: the factor
            # (the world size) turns the average back into the sum.
            accelerator.backward(loss.total * (accelerator.num_processes / count))
        losses.append(loss)
    # Clip once, when the gradient is complete: clipping each micro-batch would change the sum.
    norm = _clip(context)
    context.optimizer.step()
    context.optimizer.zero_grad()
    return StepResult(sum_losses(losses), norm)


def _loss(context: StepContext, rows: Tensor) -> Loss:
    """Run the forward passes of teacher and student over one micro-batch."""
    task, accelerator = context.task, context.accelerator
    ids, mask = to_device(task.blocks, rows, accelerator)
    with accelerator.autocast():
        targets = None if task.targets is None else task.targets(rows, ids)
        loss: Loss = context.student(ids, mask, task.objective, targets)
    return loss


def _clip(context: StepContext) -> Tensor:
    """Clip the gradient and return its norm before that."""
    norm: Tensor = context.accelerator.clip_grad_norm_(
        context.student.parameters(), context.task.training.clip
    )
    # Of a sharded gradient every rank has the norm of its shard: added up on the device, unread.
    return norm.full_tensor() if isinstance(norm, DTensor) else norm


def rows_of_rank(rows: Tensor, accelerator: Accelerator) -> Tensor:
    """This rank's share of a global batch.

    Args:
        rows: (batch,) row numbers of the global batch.
        accelerator: rank and world size.

    Returns:
        (batch / world size,) row numbers, rounded up on the first ranks.
    """
    # Shares of different sizes are fine: all ranks divide by the same global token count.
    return rows[accelerator.process_index :: accelerator.num_processes]


def to_device(
    blocks: Blocks, rows: Tensor, accelerator: Accelerator
) -> tuple[Tensor, Tensor | None]:
    """Fetch blocks for a forward pass.

    Args:
        blocks: the text, on the CPU.
        rows: (B,) row numbers.
        accelerator: the device.

    Returns:
        Ids (B, S) on the device, and the mask (B, S) on the CPU (see `StudentWithLoss`), or None if
        all tokens are real: only a stream's last block is padded.
    """
    ids, mask = blocks.ids[rows], blocks.mask[rows]
    if accelerator.device.type == "cuda":
        ids = ids.pin_memory()  # a copy from pageable memory would not overlap with computation
    return ids.to(accelerator.device, non_blocking=True), None if mask.all() else mask


def sum_losses(losses: list[Loss]) -> Loss:
    """Add the losses of several batches: sums and counts add up, means would not."""
    whole = functools.reduce(Loss.__add__, losses)
    # Detached: a loss that is kept for the log must not keep its graph.
    return whole._replace(total=whole.total.detach())
