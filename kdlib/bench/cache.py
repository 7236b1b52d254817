"""Benchmark of training from cached targets against running the teacher beside the student.

The teacher has the size of SmolLM2-135M and random weights. Its speed does not depend on the
weights, but the bytes of its targets do (``kdlib cache`` prints those of a real teacher). The two
ways of training alternate, with the same student, blocks and steps.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator
from torch import nn

from kdlib.data.blocks import Blocks
from kdlib.losses.objectives import Objective
from kdlib.machine.devices import make_accelerator, pick_device, pick_precision
from kdlib.models.from_scratch import ModelSize, new_model, parameter_count
from kdlib.models.frozen import freeze
from kdlib.teachers.base import TeacherTargets
from kdlib.teachers.cache_format import CacheContents
from kdlib.teachers.cache_reader import CachedTargets
from kdlib.teachers.cache_writer import write_cache
from kdlib.teachers.live import LiveTargets
from kdlib.training.loop import train
from kdlib.training.phase import Phase
from kdlib.training.schedule import Training
from kdlib.training.task import Task

VOCABULARY, BLOCK, BATCH, DRAWS = 49_152, 128, 8, 50
STUDENT = ModelSize(width=256, layers=8, heads=4)
ROUNDS, STEPS = 3, 4
EPOCHS = (32, 64, 128, 256)  # blocks, to see whether the time grows in proportion


class Sizes(NamedTuple):
    """The sizes of the benchmark; tests use small ones.

    Attributes:
        student: the size of the student.
        epochs: the lengths of the timed epochs, in blocks.
        rounds: how often the two ways alternate.
    """

    student: ModelSize = STUDENT
    epochs: tuple[int, ...] = EPOCHS
    rounds: int = ROUNDS


STANDARD = Sizes()


def measure(sizes: Sizes = STANDARD, teacher: nn.Module | None = None) -> dict[str, Any]:
    """Throughput of both ways of training, and the time of cached epochs.

    Args:
        sizes: of the benchmark.
        teacher: None for a random model of the size of SmolLM2-135M.

    Returns:
        Tokens per second of both ways, the ratio of each round and their median, and seconds by
        the number of tokens of a cached epoch.
    """
    device = pick_device("auto")
    accelerator = make_accelerator(device, pick_precision("auto", device))
    teacher = freeze(teacher or smollm2_sized()).to(accelerator.device)
    blocks = _blocks(sizes.epochs[-1], _vocabulary(teacher))
    with tempfile.TemporaryDirectory() as folder:
        # Only this process reads the cache, so the hashes in its manifest can be placeholders.
        contents = CacheContents("random", "none", "none", "sampled", DRAWS, 1.0, BLOCK, seed=0)
        write_cache(Path(folder) / "cache", contents, teacher, blocks, accelerator.autocast)
        cached = CachedTargets(Path(folder) / "cache", contents, blocks)

        def seconds(targets: TeacherTargets, steps: int = STEPS) -> float:
            student = _student(sizes, teacher)
            return _seconds(student, targets, blocks, steps, accelerator)

        beside = LiveTargets(teacher)
        seconds(cached, 1), seconds(beside, 1)  # warm-up
        pairs = [(seconds(cached), seconds(beside)) for _ in range(sizes.rounds)]
        epochs = {n * BLOCK: seconds(cached, n // BATCH) for n in sizes.epochs}
    tokens = STEPS * BATCH * BLOCK
    return {
        "device": str(accelerator.device),
        "threads": torch.get_num_threads(),
        "teacher_parameters": parameter_count(teacher),
        "student_parameters": parameter_count(_student(sizes, teacher)),
        "cached_tokens_per_second": tokens / statistics.median(a for a, _ in pairs),
        "beside_tokens_per_second": tokens / statistics.median(b for _, b in pairs),
        "ratio": statistics.median(b / a for a, b in pairs),
        "ratios": [b / a for a, b in pairs],
        "epoch_seconds": epochs,
    }


def table(result: dict[str, Any]) -> str:
    """The result of `measure` as text."""
    rounds = ", ".join(f"{ratio:.2f}" for ratio in result["ratios"])
    lines = [
        f"teacher {result['teacher_parameters'] / 1e6:.1f} M, student"
        f" {result['student_parameters'] / 1e6:.1f} M parameters, {result['device']},"
        f" {result['threads']} threads",
        f"from the cache {result['cached_tokens_per_second']:.0f} tokens/s, teacher beside"
        f" {result['beside_tokens_per_second']:.0f} tokens/s, ratio {result['ratio']:.2f}"
        f" (rounds: {rounds})",
        "a cached epoch of",
    ]
    for tokens, seconds in result["epoch_seconds"].items():
        lines.append(
            f"{tokens:9,} tokens {seconds:8.2f} s {1e6 * seconds / tokens:8.1f} µs a token"
        )
    return "\n".join(lines)


def smollm2_sized() -> nn.Module:
    """A model of the shape of SmolLM2-135M with 134.5 million random parameters."""
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=576,
            intermediate_size=1536,
            num_hidden_layers=30,
            num_attention_heads=9,
            num_key_value_heads=3,
            max_position_embeddings=2 * BLOCK,
            tie_word_embeddings=True,
        )
    )


def _vocabulary(model: nn.Module) -> int:
    """The model's vocabulary size."""
    config: Any = model.config
    return int(config.vocab_size)


def _student(sizes: Sizes, teacher: nn.Module) -> nn.Module:
    """A new student with the teacher's vocabulary, the same on every call."""
    return new_model(sizes.student, _vocabulary(teacher), 2 * BLOCK, seed=0)


def _blocks(number: int, vocabulary: int) -> Blocks:
    """Blocks of random tokens, the same on every call."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, vocabulary, (number, BLOCK + 1), generator=generator)
    return Blocks(ids, torch.ones_like(ids), bytes=1)


def _seconds(
    student: nn.Module,
    targets: TeacherTargets,
    blocks: Blocks,
    steps: int,
    accelerator: Accelerator,
) -> float:
    """Seconds that the training loop takes for this many steps."""
    training = Training(steps=steps, batch=BATCH, learning_rate=1e-3)
    validation = Blocks(blocks.ids[:1], blocks.mask[:1], bytes=1)
    with tempfile.TemporaryDirectory() as folder:
        phase = Phase("bench", Path(folder), "bench", seed=0)
        objective = Objective.from_alpha(1.0)
        task = Task(blocks, validation, objective, training, targets)
        return train(student, task, phase, accelerator).seconds
