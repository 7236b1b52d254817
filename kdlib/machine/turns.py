"""Models take turns on the device: each is there while it is used, and as many together as fit.

A training holds one learner. An evaluation has them all, and whoever adapts a large model has a copy
of it for each: together they may need more memory than any training did.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator

import torch
from torch import nn

SHARE = 0.5  # of the free memory; the rest is for what is computed with the models


@contextlib.contextmanager
def on_device(models: Iterable[nn.Module], device: torch.device) -> Iterator[None]:
    """Models on the device, in evaluation mode, for a while; then each is where it was before.

    Args:
        models: any models. One that is there already is not moved, and stays.
        device: where they are used.
    """
    homes = [(model.eval(), _home(model, device)) for model in models]
    moved = [(model, home) for model, home in homes if home.type != device.type]
    try:
        for model, _ in moved:
            model.to(device)
        yield
    finally:
        for model, home in moved:
            model.to(home)
        if moved and device.type == "cuda":
            torch.cuda.empty_cache()  # or the next to ask finds it taken


def in_turns(models: dict[str, nn.Module], beside: str, device: torch.device) -> list[list[str]]:
    """Which models are on the device together.

    Args:
        models: by name.
        beside: name of one that stays there all the time.
        device: where they are used.

    Returns:
        The names of all others, in their order: in each turn as many as fit beside that one, but
        one at least. On a processor, where they are in memory anyway, all in one turn.
    """
    room = SHARE * free_bytes(device) - _bytes_to_move(models[beside], device)
    turns: list[list[str]] = [[]]
    taken = 0
    for name in (name for name in models if name != beside):
        size = _bytes_to_move(models[name], device)
        if turns[-1] and taken + size > room:
            turns.append([])
            taken = 0
        turns[-1].append(name)
        taken += size
    return turns


def free_bytes(device: torch.device) -> float:
    """The device's free memory; no bound where it is the machine's, or is not told."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else math.inf


def _bytes_to_move(model: nn.Module, device: torch.device) -> int:
    """The memory that a model will take on the device; none if it is there."""
    if _home(model, device).type == device.type:
        return 0
    return sum(weight.numel() * weight.element_size() for weight in model.parameters())


def _home(model: nn.Module, device: torch.device) -> torch.device:
    """Where a model is: without parameters, wherever it is wanted. (A GPU may be "cuda" here and
    "cuda:0" there.)"""
    return next((weight.device for weight in model.parameters()), device)
