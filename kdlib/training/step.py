"""One optimiser step over a global batch: gradient accumulation, all ranks, one division."""

from __future__ import annotations

import contextlib
import functools

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from kdlib.data.blocks import Blocks
from kdlib.losses.alignment import predicting
from kdlib.losses.objectives import Loss, Objective
from kdlib.teachers.live import TeacherTargets
from kdlib.training.schedule import (
    Training,
)


def take_step(
    learner: nn.Module,
    blocks: Blocks,
    rows: Tensor,
    objective: Objective,
    training: Training,
    accelerator: Accelerator,
    stepper: torch.optim.Optimizer,
    teacher_targets: TeacherTargets | None,
) -> Loss:
    """One optimiser step over the global batch `rows`; returns this process's loss."""
    # Masks are on the CPU and known to every process, so the global count costs no communication.
    count = predicting(blocks.mask[rows]).sum().item()
    parts = []
    for number, micro in enumerate(
        rows_of_rank(rows, accelerator).tensor_split(training.accumulate)
    ):
        final = number == training.accumulate - 1
        with contextlib.nullcontext() if final else accelerator.no_sync(learner):
            ids, mask = to_device(blocks, micro, accelerator)
            with accelerator.autocast():
                targets = None if teacher_targets is None else teacher_targets(micro, ids)
                loss = learner(ids, mask, objective, targets)
            # DDP averages the gradients of its processes; their sum is wanted.
            accelerator.backward(loss.total * (accelerator.num_processes / count))
            parts.append(loss)
    accelerator.clip_grad_norm_(learner.parameters(), training.clip)
    stepper.step()
    stepper.zero_grad()
    return sum_losses(parts)


def rows_of_rank(rows: Tensor, accelerator: Accelerator) -> Tensor:
    """This process's share of a global batch."""
    return rows[accelerator.process_index :: accelerator.num_processes]


def to_device(
    blocks: Blocks, rows: Tensor, accelerator: Accelerator
) -> tuple[Tensor, Tensor | None]:
    """Ids on the device; the mask on the CPU (see `Learner`), and none where all tokens are real:
    only a stream's last block is padded."""
    ids, mask = blocks.ids[rows], blocks.mask[rows]
    if accelerator.device.type == "cuda":
        ids = ids.pin_memory()  # from ordinary memory a copy would not run beside the arithmetic
    return ids.to(accelerator.device, non_blocking=True), None if mask.all() else mask


def sum_losses(losses: list[Loss]) -> Loss:
    """Sums and counts add up; means would not."""
    add = functools.partial(functools.reduce, torch.add)
    return Loss(
        add([loss.total.detach() for loss in losses]),
        add([loss.count for loss in losses]),
        {name: add([loss.parts[name] for loss in losses]) for name in losses[0].parts},
    )
