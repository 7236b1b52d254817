"""The training loop: one for teachers, students and controls.

Everything that a step does follows from its number: its learning rate, its rows of the data, its
randomness. So a run that goes on from step 300 takes the same steps as one that never stopped.
"""

from __future__ import annotations

import contextlib
import functools
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from kdlib.data.blocks import Blocks
from kdlib.errors import UserError
from kdlib.losses.alignment import predicting
from kdlib.losses.objectives import Loss, Objective
from kdlib.machine.distributed import any_wishes, is_main, lost_processes_named
from kdlib.machine.progress import bar
from kdlib.machine.sharding import is_sharding
from kdlib.machine.signals import stop_signals
from kdlib.teachers.live import TeacherTargets
from kdlib.training.checkpoint import Position, load_checkpoint, save_checkpoint
from kdlib.training.run_folder import CHECKPOINT, Metrics
from kdlib.training.schedule import (
    Training,
    learning_rate,
    make_optimizer,
    rows_of_step,
    set_learning_rate,
)
from kdlib.training.student_with_loss import Learner

LOG_EVERY = 10
VALIDATION_BLOCKS = 48


@dataclass(frozen=True)
class Phase:
    """One training phase of a run: its name, its run's folder, and the run's fingerprint."""

    name: str
    folder: Path
    run: str
    seed: int

    @property
    def owner(self) -> str:
        return f"{self.run}/{self.name}"


class Interrupted(KeyboardInterrupt):
    """A signal asked the loop to stop, and a checkpoint is on disk: Ctrl-C with nothing lost."""


class Diverged(UserError):
    """The loss is no longer a number."""


@lost_processes_named("the last checkpoint is kept: go on with --resume")
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
    learner, stepper = accelerator.prepare(Learner(model), optimizer)
    position = load_checkpoint(checkpoint, model, optimizer, phase.owner) or Position(0, 0.0)
    if is_main():
        metrics.rewind(phase.name, position.step)

    # What is read from disk can be read ahead.
    prefetch = getattr(teacher_targets, "prefetch", None)
    window = _Window(training, position, accelerator)
    with (
        stop_signals() as stop,
        bar(phase.name, training.steps, done=position.step, unit="step") as progress,
    ):
        for step in range(position.step, training.steps):
            set_learning_rate(stepper, learning_rate(step, training))
            rows = rows_of_step(step, len(blocks), training.batch, phase.seed)
            if prefetch and step + 1 < training.steps:
                coming = rows_of_step(step + 1, len(blocks), training.batch, phase.seed)
                prefetch(_own(coming, accelerator))
            window.add(
                _step(
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
            stopping = any_wishes(stop.is_set)  # asked once: a later signal waits for the next step
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


def _step(
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
    for number, micro in enumerate(_own(rows, accelerator).tensor_split(training.accumulate)):
        final = number == training.accumulate - 1
        with contextlib.nullcontext() if final else accelerator.no_sync(learner):
            ids, mask = _batch(blocks, micro, accelerator)
            with accelerator.autocast():
                targets = None if teacher_targets is None else teacher_targets(micro, ids)
                loss = learner(ids, mask, objective, targets)
            # DDP averages the gradients of its processes; their sum is wanted.
            accelerator.backward(loss.total * (accelerator.num_processes / count))
            parts.append(loss)
    accelerator.clip_grad_norm_(learner.parameters(), training.clip)
    stepper.step()
    stepper.zero_grad()
    return add_losses(parts)


def _own(rows: Tensor, accelerator: Accelerator) -> Tensor:
    """This process's share of a global batch."""
    return rows[accelerator.process_index :: accelerator.num_processes]


def _batch(blocks: Blocks, rows: Tensor, accelerator: Accelerator) -> tuple[Tensor, Tensor | None]:
    """Ids on the device; the mask on the CPU (see `Learner`), and none where all tokens are real:
    only a stream's last block is padded."""
    ids, mask = blocks.ids[rows], blocks.mask[rows]
    if accelerator.device.type == "cuda":
        ids = ids.pin_memory()  # from ordinary memory a copy would not run beside the arithmetic
    return ids.to(accelerator.device, non_blocking=True), None if mask.all() else mask


def add_losses(losses: list[Loss]) -> Loss:
    """Sums and counts add up; means would not."""
    add = functools.partial(functools.reduce, torch.add)
    return Loss(
        add([loss.total.detach() for loss in losses]),
        add([loss.count for loss in losses]),
        {name: add([loss.parts[name] for loss in losses]) for name in losses[0].parts},
    )


def _over_processes(losses: list[Loss], accelerator: Accelerator) -> list[Loss]:
    """Each step's loss summed over all processes, in one exchange: all see the same numbers."""
    if accelerator.num_processes == 1:
        return losses
    names = losses[0].parts
    rows = [torch.stack([loss.total, loss.count, *loss.parts.values()]) for loss in losses]
    table = accelerator.reduce(torch.stack(rows), reduction="sum")
    return [Loss(total, count, dict(zip(names, parts))) for total, count, *parts in table]


class _Window:
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
        self.losses = _over_processes(self.losses, self.accelerator)
        means = torch.stack([loss.total / loss.count for loss in self.losses])
        first = step - len(self.losses)
        for offset in (~means.isfinite()).nonzero().flatten().tolist()[:1]:
            raise Diverged(
                f"loss: it became {means[offset].item()} at step {first + offset + 1}, learning"
                f" rate {learning_rate(first + offset, self.training):.2e}; the last good checkpoint is"
                " kept: lower the learning rate and start anew"
            )
        elapsed = time.perf_counter() - self.started
        whole = add_losses(self.losses)
        row = {
            "step": step,
            "loss": (whole.total / whole.count).item(),
            **{name: (part / whole.count).item() for name, part in whole.parts.items()},
            "learning_rate": learning_rate(step - 1, self.training),
            "tokens_per_second": whole.count.item() / elapsed,
        }
        self.position = Position(step, self.position.seconds + elapsed)
        self.losses = []
        self.restart_clock()
        return row


@torch.no_grad()
def validation_loss(learner: nn.Module, blocks: Blocks, accelerator: Accelerator) -> float:
    """Cross-entropy in nats per token over evenly spaced validation blocks."""
    rows = torch.linspace(0, len(blocks) - 1, min(VALIDATION_BLOCKS, len(blocks))).long()
    objective = Objective.from_lambda(0.0)
    learner.eval()
    with accelerator.autocast():
        parts = [learner(*_batch(blocks, some, accelerator), objective) for some in rows.split(16)]
    learner.train()
    whole = add_losses(parts)
    return (whole.total / whole.count).item()
