"""The training loop, the same for teachers, students and controls, and the validation loss.

A step is determined by its number, which gives its learning rate, its blocks and the seed of each
rank's dropout. So a run that resumes at step 300 takes the same steps as one that never stopped.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from kdlib.data.blocks import Blocks
from kdlib.losses.objectives import Objective
from kdlib.machine.distributed import any_rank, is_main, lost_ranks_named
from kdlib.machine.progress import progress_bar
from kdlib.machine.sharding import is_sharding
from kdlib.machine.signals import stop_signals
from kdlib.training.background import Background
from kdlib.training.checkpoint import Position, load_checkpoint, save_checkpoint
from kdlib.training.metrics import Metrics
from kdlib.training.phase import Interrupted, Phase
from kdlib.training.rollouts import Rollout, Writer
from kdlib.training.schedule import (
    learning_rate,
    make_optimizer,
    rows_of_step,
    set_learning_rate,
)
from kdlib.training.step import StepContext, rows_of_rank, sum_losses, take_step, to_device
from kdlib.training.student_with_loss import StudentWithLoss
from kdlib.training.task import Task
from kdlib.training.trackers import tracked
from kdlib.training.window import Window

LOG_EVERY = 10
VALIDATION_BLOCKS = 48


@lost_ranks_named("the last checkpoint is kept: go on with --resume")
def train(model: nn.Module, task: Task, phase: Phase, accelerator: Accelerator) -> Position:
    """Train a model in place, from the phase's checkpoint if there is one. Every rank must call.

    Args:
        model: a causal language model; it is moved to the device.
        task: text, objective, settings and the teacher's targets.
        phase: the phase that the checkpoint and the log lines belong to.
        accelerator: device, mixed precision and ranks.

    Returns:
        The steps done and the seconds that they took.

    Raises:
        Interrupted: after SIGINT or SIGTERM to any rank, once a checkpoint is written.
        Diverged: if a loss or a gradient is not finite; the last good checkpoint is kept.
        ProcessLost: if another rank has ended; the last checkpoint is kept.
    """
    training = task.training
    context, position, writer = _start(model, task, phase, accelerator)
    window = Window(training, position, accelerator)
    with (
        _emptied(accelerator),
        stop_signals() as stop,
        progress_bar(phase.name, training.steps, done=position.step, unit="step") as progress,
        tracked(phase, position.step) as track,
        Background() as background,  # ends first: whatever ends the training, the file is whole
    ):
        for step in range(position.step, training.steps):
            set_learning_rate(context.optimizer, learning_rate(step, training))
            torch.manual_seed(_dropout_seed(phase.seed, step, accelerator.process_index))
            _prefetch(context, step + 1, phase.seed)
            rollout = _rollout(writer, context, step, phase.seed)
            window.add(take_step(context, _rows(task, step, phase.seed), rollout))
            progress.update()

            done, last = step + 1, step + 1 == training.steps
            # All ranks must stop after the same step, so they agree once per step: a signal that
            # arrives after the all-reduce waits for the next step.
            stopping = any_rank(stop.is_set)
            saving = last or stopping or done % training.checkpoint_every == 0
            validating = last or done % training.validate_every == 0
            if saving or validating or done % LOG_EVERY == 0:
                row = window.close(done)
                if writer is not None:
                    row["writing_seconds"] = writer.spent()
                _show(progress, row)
                if validating:
                    row["validation"] = validation_loss(
                        context.student, task.validation, accelerator
                    )
                if is_main():
                    Metrics(phase.folder).append(phase=phase.name, **row)
                    track(row)
                if saving:  # after the check of the window, which a NaN does not pass
                    position = window.position
                    if writer is not None:
                        position = position._replace(written=writer.ahead)
                    save_checkpoint(
                        phase, model, context.optimizer, position, background=background
                    )
                window.restart_clock()
            if stopping:
                raise Interrupted(f"{phase.name} stopped after step {done} of {training.steps}")
    return window.position


@contextlib.contextmanager
def _emptied(accelerator: Accelerator) -> Iterator[None]:
    """Let the accelerator forget the model in the end, however the training ends."""
    # Otherwise its memory stays taken, and FSDP2 confuses it with the next model in training.
    try:
        yield
    finally:
        accelerator.free_memory()


def _start(
    model: nn.Module, task: Task, phase: Phase, accelerator: Accelerator
) -> tuple[StepContext, Position, Writer | None]:
    """Put model and optimizer on the device and restore the checkpoint, if there is one."""
    if not is_sharding(accelerator):
        model.to(accelerator.device)
    optimizer = make_optimizer(model.train(), task.training)
    student, wrapped = accelerator.prepare(StudentWithLoss(model), optimizer)
    position = load_checkpoint(phase, model, optimizer) or Position(0, 0.0)
    if is_main():
        Metrics(phase.folder).rewind(phase.name, position.step)
    writer = None
    if task.rollouts is not None:
        writer = Writer(task.rollouts, task.blocks, phase.seed, accelerator)
        writer.ahead |= position.written
    return StepContext(student, wrapped, task, accelerator), position, writer


def _rows(task: Task, step: int, seed: int) -> Tensor:
    """Row numbers (batch,) of the global batch of a step."""
    blocks = task.blocks
    return rows_of_step(step, len(blocks), task.training.batch, seed, blocks.lengths)


def _rollout(writer: Writer | None, context: StepContext, step: int, seed: int) -> Rollout | None:
    """What the student writes for a step, if it writes."""
    if writer is None:
        return None
    task, every = context.task, writer.rollouts.refresh
    # Up to the next multiple, so that a run that goes on writes when it would have written.
    until = min(task.training.steps, step - step % every + every)
    upcoming = {number: _rows(task, number, seed) for number in range(step, until)}
    return writer.rollout(step, upcoming, context.student)


def _dropout_seed(seed: int, step: int, rank: int) -> int:
    """Seed of what a rank draws in a step; it depends on nothing that a checkpoint must hold."""
    # Hashed: seed + step + rank would give several ranks, and steps, the same draws.
    digest = hashlib.blake2b(f"{seed} {step} {rank}".encode(), digest_size=7).digest()
    return int.from_bytes(digest)


def _prefetch(context: StepContext, step: int, seed: int) -> None:
    """Start reading the targets of the next step from disk while this step is computed."""
    task = context.task
    targets = task.targets
    if targets is not None and targets.reads_ahead and step < task.training.steps:
        targets.prefetch(rows_of_rank(_rows(task, step, seed), context.accelerator))


def _show(progress: Any, row: dict[str, Any]) -> None:
    """Put loss and speed beside the progress bar."""
    progress.set_postfix(
        loss=f"{row['loss']:.3f}",
        tokens_per_s=f"{row['tokens_per_second']:.0f}",
        refresh=False,  # shown when the bar is drawn next
    )


@torch.no_grad()
def validation_loss(student: nn.Module, blocks: Blocks, accelerator: Accelerator) -> float:
    """Cross-entropy over evenly spaced validation blocks; every rank computes all of it.

    Args:
        student: a `StudentWithLoss`, wrapped or not; it is left in training mode.
        blocks: the validation text, of which at most ``VALIDATION_BLOCKS`` blocks are read.
        accelerator: device and mixed precision.

    Returns:
        The mean cross-entropy in nats per token.
    """
    rows = torch.linspace(0, len(blocks) - 1, min(VALIDATION_BLOCKS, len(blocks))).long()
    objective = Objective.from_lambda(0.0)
    student.eval()
    with accelerator.autocast():
        losses = [
            student(*to_device(blocks, group, accelerator), objective) for group in rows.split(16)
        ]
    student.train()
    total = sum_losses(losses)
    return (total.total / total.count).item()
