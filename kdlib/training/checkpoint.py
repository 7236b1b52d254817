"""The checkpoint of a training phase, in one safetensors file: weights, optimiser, randomness, position.

One file, so that one atomic rename keeps all of it in step: weights of step 300 beside an optimiser
of step 200 would train on without a word, to other numbers. Nothing is pickled, for a pickle runs
code when it is read. Tensors are written whole, so what one world size wrote, another can read.
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
    """Where a phase stands: optimiser steps done and seconds spent on them."""

    step: int
    seconds: float


def save_checkpoint(
    phase: Phase, model: nn.Module, optimizer: torch.optim.Optimizer, position: Position
) -> None:
    """Write the phase's checkpoint. Every rank calls, the main one writes.

    Args:
        phase: whose it is; only this phase of this run may load it again.
        model: as it is trained, sharded or not.
        optimizer: of the same parameters.
        position: the steps that are in it.

    Raises:
        UserError: where the disk refuses; the checkpoint before stays.
    """
    # Before the main rank is alone: to gather a sharded tensor takes all of them.
    tensors = {f"model.{name}": gather_tensor(p) for name, p in model.named_parameters()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {
            f"optimizer.{index}.{key}": gather_tensor(value) for key, value in state.items()
        }
    if not is_main():
        return
    # Dropout draws from it: without it a resumed run would be another run.
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
    with disk_errors_named(path):
        save_file({k: v.contiguous() for k, v in tensors.items()}, draft, metadata)
        os.replace(draft, path)


def _digest(tensors: dict[str, torch.Tensor]) -> str:
    """Hash of names and contents: a flipped bit is a readable file with other numbers."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def load_checkpoint(
    phase: Phase, model: nn.Module, optimizer: torch.optim.Optimizer
) -> Position | None:
    """Put model, optimiser and randomness back as the phase's checkpoint has them.

    Args:
        phase: whose checkpoint is wanted.
        model: of the shapes that were saved; its parameters are overwritten.
        optimizer: of the same parameters; its state is overwritten.

    Returns:
        Where the phase stands; None where it has no checkpoint.

    Raises:
        UserError: for a file that is damaged, of another format, or another run's.
    """
    path = phase.checkpoint
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  a file, no dict
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
        return None  # of the phase before, which is finished: this one starts from its beginning
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
    for name, parameter in model.named_parameters():
        saved = tensors.get(f"model.{name}")
        if saved is None or saved.shape != parameter.shape:
            raise UserError(f"checkpoint: {path} does not fit the model at {name}; delete it")
        parameter.copy_(shard_like(saved, parameter))


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".")
            parameter = parameters[int(index)]
            fits = tensor.shape == parameter.shape  # all but the number of steps
            state.setdefault(int(index), {})[key] = (
                shard_like(tensor, parameter) if fits else tensor
            )
    optimizer.load_state_dict(
        {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}
    )
