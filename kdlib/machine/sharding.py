"""A model whose weights lie in parts on several processes (FSDP2); the way from and to whole ones.

Each process keeps a part of every matrix, of its gradient and of its optimiser's state; a layer is
put together when it is needed, and taken apart again. Accelerate does it. Weights stay in float32,
and autocast lowers the precision of products, as without sharding: so the numbers are the same.
"""

from __future__ import annotations

import copy

import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin
from accelerate.utils.fsdp_utils import fsdp2_prepare_model
from torch import Tensor, nn
from torch.distributed.fsdp import MixedPrecisionPolicy
from torch.distributed.tensor import DTensor, distribute_tensor


def fsdp_plugin() -> FullyShardedDataParallelPlugin:
    return FullyShardedDataParallelPlugin(
        fsdp_version=2,
        reshard_after_forward=True,
        auto_wrap_policy="transformer_based_wrap",
        mixed_precision_policy=MixedPrecisionPolicy(reduce_dtype=torch.float32),
        cpu_ram_efficient_loading=False,
    )


def enable_cpu_sharding(accelerator: Accelerator) -> None:
    """Accelerate takes its plugin on GPUs only; the engine below it works on processors too."""
    if accelerator.distributed_type == DistributedType.MULTI_CPU:
        accelerator.state.fsdp_plugin = fsdp_plugin()
        for state in (PartialState(), accelerator.state):
            state.distributed_type = DistributedType.FSDP


def is_sharding(accelerator: Accelerator) -> bool:
    return bool(accelerator.distributed_type == DistributedType.FSDP)


def place_module(module: nn.Module, accelerator: Accelerator) -> nn.Module:
    """Put a module that is not trained where it works: whole on the device, or in parts."""
    if not is_sharding(accelerator):
        return module.to(accelerator.device)
    placed: nn.Module = fsdp2_prepare_model(accelerator, module)
    return placed


def gather_tensor(tensor: Tensor) -> Tensor:
    """All of a tensor, on the CPU. Where it lies in parts, every process must call."""
    tensor = tensor.detach()
    return (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).cpu()


def shard_like(tensor: Tensor, other: Tensor) -> Tensor:
    """A whole tensor laid out as the other one: each process keeps its part."""
    if not isinstance(other, DTensor):
        return tensor
    there = tensor.to(other.device)
    return distribute_tensor(there, other.device_mesh, other.placements, src_data_rank=None)


def gather_model(model: nn.Module) -> nn.Module:
    """The model, or, where it lies in parts, a plain copy on the CPU: every process must call."""
    if not any(isinstance(p, DTensor) for p in model.parameters()):
        return model
    weights = {name: gather_tensor(p) for name, p in model.named_parameters()}
    plain = type(model)(copy.deepcopy(model.config))
    own = dict(plain.named_parameters())
    with torch.no_grad():
        for name, weight in weights.items():
            own[name].copy_(weight)
    return plain
