"""Benchmark of the training loop against a bare PyTorch loop that does the same work."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from accelerate import Accelerator

from kdlib.data.blocks import Blocks, make_blocks
from kdlib.data.documents import load_splits
from kdlib.data.separators import separator_id
from kdlib.data.shares import take_fraction
from kdlib.jobs.recipe import Recipe
from kdlib.jobs.recipe_files import load_recipe
from kdlib.machine.devices import make_accelerator, pick_device, pick_precision
from kdlib.models.folders import POCKET_TEACHER, load_model, load_tokenizer
from kdlib.models.from_scratch import new_model
from kdlib.models.frozen import freeze
from kdlib.teachers.live import LiveTargets
from kdlib.training.loop import train
from kdlib.training.phase import Phase
from kdlib.training.schedule import Training, learning_rate, make_optimizer, rows_of_step
from kdlib.training.task import Task

ROUNDS, STEPS = 5, 20


def measure(name: str) -> dict[str, Any]:
    """Throughput of the training loop and of a bare PyTorch loop that does the same work.

    Both use the same teacher, student, blocks, precision and objective. They alternate, so that a
    slow phase of the machine affects both.

    Args:
        name: the recipe that sets the sizes.

    Returns:
        The medians in tokens per second, the ratio of each round and their median.
    """
    recipe = load_recipe(name)
    device = pick_device(recipe.device)
    accelerator = make_accelerator(device, pick_precision(recipe.precision, device))
    teacher = freeze(load_model(POCKET_TEACHER)).to(accelerator.device)
    tokenizer = load_tokenizer(POCKET_TEACHER)
    documents = take_fraction(load_splits(recipe.data.text).training, recipe.data.fraction)
    separator = separator_id(tokenizer, recipe.data.separator)
    blocks = make_blocks(documents, tokenizer.backend_tokenizer, recipe.data.block, separator)
    training = Training(steps=STEPS, batch=recipe.student.training.batch, learning_rate=1e-3)
    setting = (recipe, teacher, blocks, training, accelerator)
    _ours(*setting), _bare(*setting)  # warm-up
    rounds = [(_ours(*setting), _bare(*setting)) for _ in range(ROUNDS)]
    tokens = STEPS * training.batch * recipe.data.block
    ours, bare = ([tokens / pair[i] for pair in rounds] for i in (0, 1))
    return {
        "kdlib_tokens_per_second": statistics.median(ours),
        "bare_tokens_per_second": statistics.median(bare),
        "ratio": statistics.median(a / b for a, b in zip(ours, bare)),
        "ratios": [a / b for a, b in zip(ours, bare)],
    }


def table(result: dict[str, Any]) -> str:
    """The result of `measure` as a line of text."""
    rounds = ", ".join(f"{ratio:.3f}" for ratio in result["ratios"])
    return (
        f"kdlib {result['kdlib_tokens_per_second']:.0f} tokens/s, bare loop"
        f" {result['bare_tokens_per_second']:.0f} tokens/s, ratio {result['ratio']:.3f}"
        f" (rounds: {rounds})"
    )


def _student(recipe: Recipe, teacher: Any) -> torch.nn.Module:
    """A new student of the recipe, the same on every call."""
    size, context = recipe.student.size, 2 * recipe.data.block
    return new_model(size, teacher.config.vocab_size, context, recipe.seed)


def _ours(
    recipe: Recipe, teacher: Any, blocks: Blocks, training: Training, accelerator: Accelerator
) -> float:
    """Seconds that kdlib's training loop takes."""
    with tempfile.TemporaryDirectory() as folder:
        phase = Phase("bench", Path(folder), "bench", seed=0)
        validation = Blocks(blocks.ids[:2], blocks.mask[:2], blocks.bytes)
        objective = recipe.objective.objective()
        task = Task(blocks, validation, objective, training, LiveTargets(teacher))
        end = train(_student(recipe, teacher), task, phase, accelerator)
    return end.seconds


def _bare(
    recipe: Recipe, teacher: Any, blocks: Blocks, training: Training, accelerator: Accelerator
) -> float:
    r"""Seconds of the same steps by hand: :math:`(1 - \alpha) CE + \alpha KL`, means, no masks."""
    alpha, device = recipe.objective.weight, accelerator.device
    student = _student(recipe, teacher).to(device).train()
    optimizer = make_optimizer(student, training)
    started = time.perf_counter()
    for number in range(training.steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(number, training)
        ids = blocks.ids[rows_of_step(number, len(blocks), training.batch, 0)].to(device)
        with accelerator.autocast():
            with torch.no_grad():
                teacher_logits = teacher(input_ids=ids).logits[:, :-1].flatten(0, 1)
            logits = student(input_ids=ids).logits[:, :-1].flatten(0, 1)
        log_q, log_p = logits.float().log_softmax(-1), teacher_logits.float().log_softmax(-1)
        labels = F.nll_loss(log_q, ids[:, 1:].flatten())
        distillation = F.kl_div(log_q, log_p, log_target=True, reduction="batchmean")
        ((1 - alpha) * labels + alpha * distillation).backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), training.clip)
        optimizer.step()
        optimizer.zero_grad()
    return time.perf_counter() - started
