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
from kdlib.losses.fused.inputs import Targets
from kdlib.losses.objectives import Loss
from kdlib.losses.spans import SpanTargets
from kdlib.teachers.base import TeacherTargets
from kdlib.training.rollouts import Rollout
from kdlib.training.student_with_loss import Own
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


def take_step(context: StepContext, rows: Tensor, rollout: Rollout | None = None) -> StepResult:
    r"""Take one optimiser step over a global batch.

    .. math:: g = \nabla \, \frac{1}{N} \sum_{\text{ranks}} \; \sum_{\text{micro-batches}} L

    This is the gradient before clipping. Each :math:`L` is a sum over tokens, and :math:`N` is the
    number of predicted tokens in the global batch.

    Args:
        context: what is trained, and how.
        rows: (batch,) row numbers of the blocks of the global batch, the same on every rank.
        rollout: what the student wrote in place of some of these blocks.

    Returns:
        The loss, and the norm of the gradient.
    """
    task, accelerator = context.task, context.accelerator
    # Every rank has all masks, on the CPU: the global count costs no all-reduce and no GPU sync.
    count = _counted(task.blocks, rows, rollout).sum().item()
    # Every rank makes the same number of passes: DDP and FSDP wait for all ranks in each of them.
    share = _share(context, rows, rollout)
    losses = []
    for number, micro in enumerate(share, start=1):
        # Gradients are reduced over the ranks with the last micro-batch only: once per step, not
        # once each. The price under FSDP2: until then a rank holds them unsharded.
        last = number == len(share)
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


class MicroBatch(NamedTuple):
    """What one forward pass reads.

    Attributes:
        rows: (B,) row numbers of its blocks.
        written: (n, S) the texts of those of its rows that the student wrote, on the device.
        own: which rows these are and what counts, on the CPU; None if the student writes nothing.
    """

    rows: Tensor
    written: Tensor | None = None
    own: Own | None = None


def _share(context: StepContext, rows: Tensor, rollout: Rollout | None) -> list[MicroBatch]:
    """This rank's share of a global batch, in micro-batches."""
    accelerator, parts = context.accelerator, context.task.training.gradient_accumulation
    mine = rows_of_rank(rows, accelerator)
    if rollout is None:
        return [MicroBatch(part) for part in mine.tensor_split(parts)]
    own = rows_of_rank(rollout.own, accelerator)
    counted = rows_of_rank(_counted(context.task.blocks, rows, rollout), accelerator)
    text = own.cumsum(0) - 1  # of the rank's rows that the student wrote, which text is whose
    return [
        MicroBatch(
            mine[part],
            rollout.ids[text[part][own[part]]],
            Own(own[part], counted[part], rollout.single_sample),
        )
        for part in torch.arange(len(mine)).tensor_split(parts)
    ]


def _counted(blocks: Blocks, rows: Tensor, rollout: Rollout | None) -> Tensor:
    """The positions of a batch that count, (B, S - 1)."""
    counted = blocks.counted(rows)
    if rollout is None:
        return counted
    return torch.where(rollout.own[:, None], rollout.counted, counted)


def _loss(context: StepContext, micro: MicroBatch) -> Loss:
    """Run the forward passes of teacher and student over one micro-batch."""
    task, accelerator, own = context.task, context.accelerator, micro.own
    ids, counted = to_device(task.blocks, micro.rows, accelerator)
    if own is not None and micro.written is not None:
        ids[own.rows.nonzero().squeeze(-1).to(ids.device)] = micro.written
    with accelerator.autocast():
        targets = None if task.targets is None else _targets(task.targets, micro, ids)
        loss: Loss = context.student(ids, counted, task.objective, targets, own)
    return loss


def _targets(source: TeacherTargets, micro: MicroBatch, ids: Tensor) -> Targets | SpanTargets:
    """What the teacher says about a micro-batch."""
    return source(micro.rows, ids) if micro.own is None else source(micro.rows, ids, micro.own.rows)


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
        Ids (B, S) on the device, as long as the longest of these blocks, and the positions that
        count (B, S - 1) on the CPU (see `StudentWithLoss`), or None if all do, as in every block of
        a text but its padded last.
    """
    longest = blocks.longest(rows)
    ids, counted = blocks.ids[rows, :longest], blocks.counted(rows)[:, : longest - 1]
    if accelerator.device.type == "cuda":
        ids = ids.pin_memory()  # a copy from pageable memory would not overlap with computation
    return ids.to(accelerator.device, non_blocking=True), None if counted.all() else counted


def sum_losses(losses: list[Loss]) -> Loss:
    """Add the losses of several batches: sums and counts add up, means would not."""
    whole = functools.reduce(Loss.__add__, losses)
    # Detached: a loss that is kept for the log must not keep its graph.
    return whole._replace(total=whole.total.detach())
