"""The training loop: one for teachers, students and controls.

Everything that a step does follows from its number: its learning rate, its rows of the data, its
randomness. So a run that goes on from step 300 takes the same steps as one that never stopped.
"""

from __future__ import annotations

import contextlib
import math
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from kdlib.checkpoint import Position, load_checkpoint, save_checkpoint
from kdlib.data import Blocks
from kdlib.errors import UserError
from kdlib.objectives import Loss, Objective, distillation_loss, next_token
from kdlib.progress import bar
from kdlib.runs import CHECKPOINT, Metrics
from kdlib.teachers import TeacherLogits

LOG_EVERY = 10
VALIDATION_BLOCKS = 48
FINAL_LEARNING_RATE = 0.05  # as a share of the highest
BETAS = (0.9, 0.95)


@dataclass(frozen=True)
class Training:
    """How one model is trained."""

    steps: int
    """Optimiser steps."""
    batch: int = 8
    """Blocks per optimiser step, over all processes."""
    accumulate: int = 1
    """Micro-batches per optimiser step: the same gradient in less memory."""
    learning_rate: float = 3e-3
    """Highest learning rate of the cosine schedule."""
    warmup: float = 0.05
    """Share of the steps in which the learning rate rises from 0."""
    weight_decay: float = 0.1
    """AdamW's decay, on matrices only."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    checkpoint_every: int = 100
    """Optimiser steps between checkpoints."""
    validate_every: int = 100
    """Optimiser steps between looks at the validation split."""

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "accumulate", "checkpoint_every", "validate_every"):
            if getattr(self, name) < 1:
                raise UserError(f"{name}: {getattr(self, name)} is too small; use 1 or more")
        for name in ("learning_rate", "clip"):
            if not 0 < getattr(self, name) < math.inf:
                raise UserError(f"{name}: {getattr(self, name)} is not above 0 and finite")
        if not 0 <= self.weight_decay < math.inf:
            raise UserError(f"weight_decay: {self.weight_decay} is not at least 0 and finite")
        if not 0 <= self.warmup < 1:
            raise UserError(f"warmup: {self.warmup} is a share of the steps; use [0, 1)")
        if self.batch % self.accumulate:
            raise UserError(
                f"accumulate: {self.accumulate} does not divide a batch of {self.batch} blocks"
            )


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


class Interrupted(Exception):
    """A signal asked the loop to stop; the checkpoint is on disk."""


class Diverged(UserError):
    """The loss is no longer a number."""


def train(
    model: nn.Module,
    blocks: Blocks,
    validation: Blocks,
    objective: Objective,
    training: Training,
    phase: Phase,
    accelerator: Accelerator,
    teacher_logits: TeacherLogits | None = None,
) -> Position:
    """Train `model` in place and return where it ended. Goes on from the phase's checkpoint if any.

    Raises Interrupted after SIGINT or SIGTERM, with a checkpoint written, and Diverged when a loss
    is not finite, with the last good checkpoint kept.
    """
    optimizer = make_optimizer(model, training)
    checkpoint = phase.folder / CHECKPOINT
    metrics = Metrics(phase.folder)
    model.to(accelerator.device).train()
    torch.manual_seed(phase.seed)
    position = load_checkpoint(checkpoint, model, optimizer, phase.owner) or Position(0, 0.0)
    metrics.rewind(phase.name, position.step)
    wrapped, stepper = accelerator.prepare(model, optimizer)

    def save(at: Position) -> None:
        if accelerator.is_main_process:
            save_checkpoint(checkpoint, model, optimizer, phase.owner, at)

    window = _Window(training, position)
    with stop_signals() as stop, bar(phase.name, training.steps, done=position.step, unit="step") as progress:
        for step in range(position.step, training.steps):
            set_learning_rate(stepper, learning_rate(step, training))
            rows = rows_of_step(step, len(blocks), training.batch, phase.seed)
            window.add(_step(wrapped, blocks, rows, objective, training, accelerator, stepper, teacher_logits))
            progress.update()

            done, last = step + 1, step + 1 == training.steps
            saving = last or stop.is_set or done % training.checkpoint_every == 0
            if saving or done % LOG_EVERY == 0:
                row = window.close(done)
                progress.set_postfix(loss=f"{row['loss']:.3f}", tokens_per_s=f"{row['tokens_per_second']:.0f}")
                if last or done % training.validate_every == 0:
                    row["validation"] = validation_loss(model, validation, accelerator)
                    window.restart_clock()
                if accelerator.is_main_process:
                    metrics.append(phase=phase.name, **row)
            if saving:
                save(window.position)
            if stop.is_set and not last:
                raise Interrupted(f"{phase.name} stopped after step {done} of {training.steps}")
    accelerator.free_memory()
    return window.position


def _step(model, blocks, rows, objective, training, accelerator, stepper, teacher_logits) -> Loss:
    """One optimiser step over the global batch `rows`; returns this process's loss."""
    # Masks are on the CPU and known to every process, so the global count costs no communication.
    count = next_token(blocks.ids[rows], blocks.ids[rows], blocks.mask[rows])[2].sum().item()
    own = rows[accelerator.process_index :: accelerator.num_processes]
    parts = []
    for number, micro in enumerate(own.tensor_split(training.accumulate)):
        final = number == training.accumulate - 1
        with contextlib.nullcontext() if final else accelerator.no_sync(model):
            ids, mask = (t[micro].to(accelerator.device, non_blocking=True) for t in (blocks.ids, blocks.mask))
            logits, labels, counted = next_token(model(input_ids=ids).logits, ids, mask)
            target = None if teacher_logits is None else _target(teacher_logits, micro, ids, mask, accelerator)
            loss = distillation_loss(logits, target, labels, counted, objective=objective)
            # DDP averages the gradients of its processes; their sum is wanted.
            accelerator.backward(loss.total * (accelerator.num_processes / count))
            parts.append(loss)
    accelerator.clip_grad_norm_(model.parameters(), training.clip)
    stepper.step()
    stepper.zero_grad()
    return add_losses(parts)


def _target(teacher_logits: TeacherLogits, rows: Tensor, ids: Tensor, mask: Tensor, accelerator) -> Tensor:
    with accelerator.autocast():
        return next_token(teacher_logits(rows, ids), ids, mask)[0]


def add_losses(losses: list[Loss]) -> Loss:
    """Sums and counts add up; means would not."""
    return Loss(
        sum(loss.total.detach() for loss in losses),
        sum(loss.count for loss in losses),
        {name: sum(loss.parts[name] for loss in losses) for name in losses[0].parts},
    )


class _Window:
    """The steps since the last log line, kept on the device: reading one number waits for the GPU."""

    def __init__(self, training: Training, position: Position) -> None:
        self.training, self.position = training, position
        self.losses: list[Loss] = []
        self.restart_clock()

    def restart_clock(self) -> None:
        self.started = time.perf_counter()

    def add(self, loss: Loss) -> None:
        self.losses.append(loss)

    def close(self, step: int) -> dict:
        """Check every step of the window, advance the position and return the line to log."""
        means = torch.stack([loss.total / loss.count for loss in self.losses])
        first = step - len(self.losses)
        for offset in (~means.isfinite()).nonzero().flatten().tolist()[:1]:
            raise Diverged(
                f"loss: it became {means[offset].item()} at step {first + offset + 1}, learning rate"
                f" {learning_rate(first + offset, self.training):.2e}; the last good checkpoint is"
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
def validation_loss(model: nn.Module, blocks: Blocks, accelerator: Accelerator) -> float:
    """Cross-entropy in nats per token over evenly spaced validation blocks."""
    rows = torch.linspace(0, len(blocks) - 1, min(VALIDATION_BLOCKS, len(blocks))).long()
    objective = Objective.from_lambda(0.0)
    model.eval()
    parts = []
    for some in rows.split(16):
        ids, mask = blocks.ids[some].to(accelerator.device), blocks.mask[some].to(accelerator.device)
        with accelerator.autocast():
            logits = model(input_ids=ids).logits
        logits, labels, counted = next_token(logits, ids, mask)
        parts.append(distillation_loss(logits, None, labels, counted, objective=objective))
    model.train()
    whole = add_losses(parts)
    return (whole.total / whole.count).item()


def make_optimizer(model: nn.Module, training: Training) -> torch.optim.AdamW:
    """AdamW; gains and biases are not decayed."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": training.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=training.learning_rate, betas=BETAS, fused=True)


def learning_rate(step: int, training: Training) -> float:
    """Linear warm-up from 0, then a cosine down to FINAL_LEARNING_RATE of the highest."""
    warmup = round(training.warmup * training.steps)
    if step < warmup:
        return training.learning_rate * (step + 1) / warmup
    progress = (step - warmup) / max(1, training.steps - warmup)
    cosine = (1 + math.cos(math.pi * progress)) / 2
    return training.learning_rate * (FINAL_LEARNING_RATE + (1 - FINAL_LEARNING_RATE) * cosine)


def set_learning_rate(optimizer, value: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = value


def rows_of_step(step: int, blocks: int, batch: int, seed: int) -> Tensor:
    """Which blocks the step reads: the data shuffled anew for every epoch, epochs end to end."""
    positions = torch.arange(step * batch, (step + 1) * batch)
    epochs = positions // blocks
    return torch.cat(
        [
            _shuffled(blocks, seed, int(epoch))[positions[epochs == epoch] % blocks]
            for epoch in epochs.unique()
        ]
    )


def _shuffled(blocks: int, seed: int, epoch: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    return torch.randperm(blocks, generator=generator)


@dataclass
class Stop:
    is_set: bool = False


@contextlib.contextmanager
def stop_signals() -> Iterator[Stop]:
    """Turn SIGINT and SIGTERM into a wish that the loop reads between two steps."""
    stop = Stop()

    def wish(number, frame):
        stop.is_set = True

    try:
        previous = {s: signal.signal(s, wish) for s in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread (a notebook's executor): signals stay as they are
        yield stop
        return
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
