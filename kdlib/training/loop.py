"""The training loop: one for teachers, students and controls.

Everything that a step does follows from its number: its learning rate, its rows of the data, its
randomness. So a run that goes on from step 300 takes the same steps as one that never stopped.
"""

from __future__ import annotations

import torch
from accelerate import Accelerator
from torch import nn

from kdlib.data.blocks import Blocks
from kdlib.losses.objectives import Objective
from kdlib.machine.distributed import any_rank, is_main, lost_ranks_named
from kdlib.machine.progress import progress_bar
from kdlib.machine.sharding import is_sharding
from kdlib.machine.signals import stop_signals
from kdlib.teachers.live import TeacherTargets
from kdlib.training.checkpoint import Position, load_checkpoint, save_checkpoint
from kdlib.training.phase import Interrupted, Phase
from kdlib.training.run_folder import CHECKPOINT, Metrics
from kdlib.training.schedule import (
    Training,
    learning_rate,
    make_optimizer,
    rows_of_step,
    set_learning_rate,
)
from kdlib.training.step import rows_of_rank, sum_losses, take_step, to_device
from kdlib.training.student_with_loss import StudentWithLoss
from kdlib.training.window import Window

LOG_EVERY = 10
VALIDATION_BLOCKS = 48


@lost_ranks_named("the last checkpoint is kept: go on with --resume")
def train(
    model: nn.Module,
    blocks: Blocks,
    validation: Blocks,
    objective: Objective,
    training: Training,
    phase: Phase,
    accelerator: Accelerator,
    teacher_targets: TeacherTargets | None = None,
) -> Position:
    """Train `model` in place and return where it ended. Goes on from the phase's checkpoint if any.

    Where there are several processes, all call. Raises Interrupted after SIGINT or SIGTERM to any
    of them, with a checkpoint written; Diverged when a loss is not finite and ProcessLost when
    another process has ended, with the last good checkpoint kept.
    """
    checkpoint = phase.folder / CHECKPOINT
    metrics = Metrics(phase.folder)
    if not is_sharding(accelerator):
        model.to(accelerator.device)
    optimizer = make_optimizer(model.train(), training)
    torch.manual_seed(phase.seed)
    learner, stepper = accelerator.prepare(StudentWithLoss(model), optimizer)
    position = load_checkpoint(checkpoint, model, optimizer, phase.owner) or Position(0, 0.0)
    if is_main():
        metrics.rewind(phase.name, position.step)

    # What is read from disk can be read ahead.
    prefetch = getattr(teacher_targets, "prefetch", None)
    window = Window(training, position, accelerator)
    with (
        stop_signals() as stop,
        progress_bar(phase.name, training.steps, done=position.step, unit="step") as progress,
    ):
        for step in range(position.step, training.steps):
            set_learning_rate(stepper, learning_rate(step, training))
            rows = rows_of_step(step, len(blocks), training.batch, phase.seed)
            if prefetch and step + 1 < training.steps:
                coming = rows_of_step(step + 1, len(blocks), training.batch, phase.seed)
                prefetch(rows_of_rank(coming, accelerator))
            window.add(
                take_step(
                    learner,
                    blocks,
                    rows,
                    objective,
                    training,
                    accelerator,
                    stepper,
                    teacher_targets,
                )
            )
            progress.update()

            done, last = step + 1, step + 1 == training.steps
            stopping = any_rank(stop.is_set)  # asked once: a later signal waits for the next step
            saving = last or stopping or done % training.checkpoint_every == 0
            if saving or done % LOG_EVERY == 0:
                row = window.close(done)
                progress.set_postfix(
                    loss=f"{row['loss']:.3f}",
                    tokens_per_s=f"{row['tokens_per_second']:.0f}",
                    refresh=False,  # shown when the bar is drawn next
                )
                if last or done % training.validate_every == 0:
                    row["validation"] = validation_loss(learner, validation, accelerator)
                    window.restart_clock()
                if is_main():
                    metrics.append(phase=phase.name, **row)
            if saving:
                save_checkpoint(checkpoint, model, optimizer, phase.owner, window.position)
            if stopping:
                raise Interrupted(f"{phase.name} stopped after step {done} of {training.steps}")
    accelerator.free_memory()
    return window.position


@torch.no_grad()
def validation_loss(learner: nn.Module, blocks: Blocks, accelerator: Accelerator) -> float:
    """Cross-entropy in nats per token over evenly spaced validation blocks."""
    rows = torch.linspace(0, len(blocks) - 1, min(VALIDATION_BLOCKS, len(blocks))).long()
    objective = Objective.from_lambda(0.0)
    learner.eval()
    with accelerator.autocast():
        parts = [
            learner(*to_device(blocks, some, accelerator), objective) for some in rows.split(16)
        ]
    learner.train()
    whole = sum_losses(parts)
    return (whole.total / whole.count).item()
