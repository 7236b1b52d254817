"""The checkpoint of a training phase: weights, optimizer state, random state and position.

All of it is one safetensors file, so that one atomic rename keeps the parts consistent: weights of
step 300 with an optimizer state of step 200 would train on silently, to different numbers. Nothing
is pickled, because reading a pickle can run code. Tensors are gathered before they are written, so
a checkpoint does not depend on the world size that wrote it.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from kdlib.errors import UserError
from kdlib.files import disk_errors_named
from kdlib.machine.distributed import is_main
from kdlib.machine.sharding import gather_tensor, shard_like
from kdlib.training.phase import Phase

FORMAT = "kdlib-checkpoint-3"


class Position(NamedTuple):
    """How far a training phase has come.

    Attributes:
        step: optimiser steps done.
        seconds: wall-clock seconds spent on them.
    """

    step: int
    seconds: float


def save_checkpoint(
    phase: Phase, model: nn.Module, optimizer: torch.optim.Optimizer, position: Position
) -> None:
    """Write the phase's checkpoint. Every rank must call; only the main rank writes.

    Args:
        phase: the phase that it belongs to; only this phase of this run may load it again.
        model: the model in training, sharded or not.
        optimizer: the optimizer of the same parameters.
        position: the steps that are in the weights.

    Raises:
        UserError: if the file cannot be written; the previous checkpoint stays.
    """
    # Gathering a sharded tensor is a collective: a rank that returned earlier would hang the rest.
    # A tied matrix is listed once, and must be: safetensors refuses tensors that share memory.
    tensors = {f"model.{name}": gather_tensor(p) for name, p in model.named_parameters()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {
            f"optimizer.{index}.{key}": gather_tensor(value) for key, value in state.items()
        }
    if not is_main():
        return
    # Dropout draws from it: without it a resumed run would take different steps.
    tensors["rng.cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["rng.cuda"] = torch.cuda.get_rng_state()
    metadata = {
        "format": FORMAT,
        "run": phase.run,
        "phase": phase.name,
        "sha256": _digest(tensors),
        **{k: str(v) for k, v in position._asdict().items()},
    }
    path = phase.checkpoint
    draft = path.with_name(f".{path.name}.draft")
    # Write beside it and rename: a crash while writing leaves the previous checkpoint intact.
    with disk_errors_named(path):
        save_file({k: v.contiguous() for k, v in tensors.items()}, draft, metadata)
        os.replace(draft, path)


def _digest(tensors: dict[str, torch.Tensor]) -> str:
    """Checksum of names and contents: a file with a flipped bit can still be read."""
    digest = hashlib.sha256()
    # Sorted, because safetensors reorders tensors; as bytes, because NumPy has no bfloat16.
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def load_checkpoint(
    phase: Phase, model: nn.Module, optimizer: torch.optim.Optimizer
) -> Position | None:
    """Restore model, optimizer state and random state from the phase's checkpoint.

    Args:
        phase: the phase to restore.
        model: a model of the saved shapes; its parameters are overwritten.
        optimizer: the optimizer of the same parameters; its state is overwritten.

    Returns:
        How far the phase has come; None if it has no checkpoint.

    Raises:
        UserError: for a file that is damaged, of another format, of another run or of another
            model.
    """
    path = phase.checkpoint
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            # The file is no dict: it has keys() but cannot be iterated over.
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"checkpoint: {path} is damaged ({error}); delete it to redo the phase"
        ) from error
    if metadata.get("format") != FORMAT:
        raise UserError(
            f"checkpoint: {path} was not written by this version; delete it to redo the phase"
        )
    if metadata["run"] != phase.run:
        raise UserError(f"checkpoint: {path} belongs to another run; delete it to redo the phase")
    if metadata["phase"] != phase.name:
        return None  # left by the previous phase, which is finished: this one starts at step 0
    # Compared before a parameter is overwritten: a damaged file never gets into the model.
    if metadata["sha256"] != _digest(tensors):
        raise UserError(
            f"checkpoint: {path} is damaged (its hash differs); delete it to redo the phase"
        )
    _restore_model(model, tensors, path)
    _restore_optimizer(optimizer, tensors)
    torch.set_rng_state(tensors["rng.cpu"])
    if "rng.cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["rng.cuda"])
    return Position(int(metadata["step"]), float(metadata["seconds"]))


@torch.no_grad()
def _restore_model(model: nn.Module, tensors: dict[str, torch.Tensor], path: Path) -> None:
    """Overwrite every parameter, sharded as it is now."""
    for name, parameter in model.named_parameters():
        saved = tensors.get(f"model.{name}")
        if saved is None or saved.shape != parameter.shape:
            raise UserError(f"checkpoint: {path} does not fit the model at {name}; delete it")
        parameter.copy_(shard_like(saved, parameter))


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    """Overwrite the optimizer state, sharded as the parameters are now."""
    # The state is numbered across the parameter groups, in this order.
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".")
            parameter = parameters[int(index)]
            fits = tensor.shape == parameter.shape  # a moment; AdamW's step count is a scalar
            state.setdefault(int(index), {})[key] = (
                shard_like(tensor, parameter) if fits else tensor
            )
    # The settings stay those of the recipe; the loop sets the learning rate before every step.
    optimizer.load_state_dict(
        {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}
    )
