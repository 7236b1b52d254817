"""How fast models read, measured fairly.

The first pass of a model pays for warming up, and a clock that speeds up or slows down favours
whoever runs at the right moment. So every model reads once unmeasured, then all take turns, and the
fastest turn counts: other programs can only make a turn slower.
"""

from __future__ import annotations

import time

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from kdlib.data.blocks import Blocks
from kdlib.machine.turns import on_device

TOKENS = 2048  # in one pass: enough to keep all threads, or a GPU, at work
LEAST_TURNS, MOST_TURNS = 5, 40
ENOUGH = 5.0  # seconds, after which large models need no more turns: their passes are long


@torch.no_grad()
def tokens_per_second(
    models: dict[str, nn.Module], texts: dict[str, Blocks], accelerator: Accelerator
) -> dict[str, float]:
    """Speed of each model's forward pass.

    Args:
        models: by name.
        texts: the blocks that each model reads, by its name.
        accelerator: device and mixed precision.

    Returns:
        Tokens per second, by name.
    """
    batches = {name: _batch(texts[name], accelerator) for name in models}
    _turn(models, batches, accelerator)  # unmeasured
    turns: list[dict[str, float]] = []
    started = time.perf_counter()
    while len(turns) < LEAST_TURNS or (
        len(turns) < MOST_TURNS and time.perf_counter() - started < ENOUGH
    ):
        turns.append(_turn(models, batches, accelerator))
    return {name: batches[name].numel() / min(turn[name] for turn in turns) for name in models}


def _turn(
    models: dict[str, nn.Module], batches: dict[str, Tensor], accelerator: Accelerator
) -> dict[str, float]:
    """Seconds of one forward pass of each model, one after the other."""
    return {name: _seconds(model, batches[name], accelerator) for name, model in models.items()}


def _batch(blocks: Blocks, accelerator: Accelerator) -> Tensor:
    """Ids of the first blocks, ``TOKENS`` tokens of them; a short text is read several times."""
    rows = torch.arange(max(1, TOKENS // blocks.ids.shape[1])) % len(blocks)
    return blocks.ids[rows].to(accelerator.device)


def _seconds(model: nn.Module, ids: Tensor, accelerator: Accelerator) -> float:
    """Seconds of one forward pass."""
    with on_device([model], accelerator.device):
        _wait_for(accelerator)
        started = time.perf_counter()
        with accelerator.autocast():
            model(input_ids=ids, use_cache=False)
        _wait_for(accelerator)
        return time.perf_counter() - started


def _wait_for(accelerator: Accelerator) -> None:
    """Wait until a GPU has finished, so that the clock measures its work."""
    if accelerator.device.type != "cpu":
        torch.accelerator.synchronize()
