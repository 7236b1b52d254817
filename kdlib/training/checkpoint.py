"""The checkpoint of a training phase: weights, optimizer state and position.

All of it is one safetensors file, so that one atomic rename keeps the parts consistent: weights of
step 300 with an optimizer state of step 200 would train on silently, to different numbers. Nothing
is pickled, because reading a pickle can run code. Tensors are gathered before they are written, and
a step's number gives each rank its seed, so a checkpoint does not depend on the world size that
wrote it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from kdlib.errors import UserError
from kdlib.files import atomic_file, disk_errors_named
from kdlib.machine.distributed import is_main
from kdlib.machine.sharding import gather_tensor, shard_like
from kdlib.training.background import Background
from kdlib.training.phase import Phase

FORMAT = "kdlib-checkpoint-4"
WRITTEN = "written."


class Position(NamedTuple):
    """How far a training phase has come.

    Attributes:
        step: optimiser steps done.
        seconds: wall-clock seconds spent on them.
        written: by step, texts that the model has written for steps to come (see `Writer`).
    """

    step: int
    seconds: float
    written: dict[int, torch.Tensor] = {}


def save_checkpoint(
    phase: Phase,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    position: Position,
    background: Background | None = None,
) -> None:
    """Write the phase's checkpoint. Every rank must call; only the main rank writes.

    Training may go on while the file is written: what is written is a copy of this moment. Until it
    is whole, the checkpoint before it is the one that is loaded.

    Args:
        phase: the phase that it belongs to; only this phase of this run may load it again.
        model: the model in training, sharded or not.
        optimizer: the optimizer of the same parameters.
        position: the steps that are in the weights, and what is written for those to come.
        background: where to write; None to write here and now.

    Raises:
        UserError: if the file, or in the background the one before it, cannot be written; the
            previous checkpoint stays.
    """
    # Gathering a sharded tensor is a collective: a rank that returned earlier would hang the rest.
    # A tied matrix is listed once, and must be: safetensors refuses tensors that share memory.
    gather = gather_tensor if background is None else _copied
    tensors = {f"model.{name}": gather(p) for name, p in _trained(model)}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{key}": gather(value) for key, value in state.items()}
    tensors |= {f"{WRITTEN}{step}": ids for step, ids in position.written.items()}
    if not is_main():
        return
    if background is None:
        _write(phase, tensors, position)
    else:
        background.run(lambda: _write(phase, tensors, position))


def _trained(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """The parameters that steps change. Frozen ones, beside adapters, are those that the phase
    started from: whoever resumes has them already."""
    return [(name, p) for name, p in model.named_parameters() if p.requires_grad]


def _copied(tensor: torch.Tensor) -> torch.Tensor:
    """The whole tensor as it is now: on a CPU `gather_tensor` gives the weights in training, which
    the next step changes."""
    whole = gather_tensor(tensor)
    return whole.clone() if tensor.device.type == "cpu" else whole


def _write(phase: Phase, tensors: dict[str, torch.Tensor], position: Position) -> None:
    """Write the file: all of it, or the one before it stays."""
    metadata = {
        "format": FORMAT,
        "run": phase.run,
        "phase": phase.name,
        "step": str(position.step),
        "seconds": str(position.seconds),
    }
    metadata["sha256"] = _digest(tensors, metadata)
    with disk_errors_named(phase.checkpoint), atomic_file(phase.checkpoint) as draft:
        save_file({k: v.contiguous() for k, v in tensors.items()}, draft, metadata)


def _digest(tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> str:
    """Checksum of all that the file says: one with a flipped bit can still be read."""
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    # Sorted, because safetensors reorders tensors; as bytes, because NumPy has no bfloat16.
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        # Of a copy: a storage that NumPy has seen can never be resized, and FSDP2 frees the live
        # weights, which on a CPU are what is saved, by resizing them.
        whole = tensor.to("cpu", copy=True, memory_format=torch.contiguous_format)
        digest.update(whole.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def load_checkpoint(
    phase: Phase, model: nn.Module, optimizer: torch.optim.Optimizer
) -> Position | None:
    """Restore model and optimizer state from the phase's checkpoint.

    Args:
        phase: the phase to restore.
        model: a model of the saved shapes, as the phase starts from it; its trainable parameters are
            overwritten.
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
    tensors, metadata = _read(path)
    if metadata["run"] != phase.run:
        raise UserError(f"checkpoint: {path} belongs to another run; delete it to redo the phase")
    if metadata["phase"] != phase.name:
        return None  # left by the previous phase, which is finished: this one starts at step 0
    _restore_model(model, tensors, path)
    _restore_optimizer(optimizer, tensors)
    written = {
        int(name.removeprefix(WRITTEN)): ids
        for name, ids in tensors.items()
        if name.startswith(WRITTEN)
    }
    return Position(int(metadata["step"]), float(metadata["seconds"]), written)


def _read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors and metadata of a checkpoint, once its checksum has been compared."""
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
    # Before anything in it is believed: a damaged name would look like another run's or phase's.
    if metadata.pop("sha256", None) != _digest(tensors, metadata):
        raise UserError(
            f"checkpoint: {path} is damaged (its hash differs); delete it to redo the phase"
        )
    return tensors, metadata


@torch.no_grad()
def _restore_model(model: nn.Module, tensors: dict[str, torch.Tensor], path: Path) -> None:
    """Overwrite every parameter that is trained, sharded as it is now."""
    for name, parameter in _trained(model):
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
