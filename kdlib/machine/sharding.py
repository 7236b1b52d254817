"""Sharded models (FSDP2): sharding tensors and modules over the ranks, and gathering them again.

Each rank keeps a shard of every matrix, of its gradient and of its optimizer state. A layer is
gathered when it is needed, then resharded. Accelerate does this. The weights stay in float32 and
autocast lowers the precision of the products, as without sharding, so the numbers are the same.
"""

from __future__ import annotations

import copy

import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import (
    DistributedType,
    FullyShardedDataParallelPlugin,
    fsdp2_prepare_model,
)
from torch import Tensor, nn
from torch.distributed.fsdp import MixedPrecisionPolicy
from torch.distributed.tensor import DTensor, distribute_tensor


def fsdp_plugin() -> FullyShardedDataParallelPlugin:
    """Accelerate's settings for FSDP2 over whole transformer blocks."""
    return FullyShardedDataParallelPlugin(
        fsdp_version=2,
        # A layer is gathered again for its backward pass: one more all-gather, far less memory.
        reshard_after_forward=True,
        auto_wrap_policy="transformer_based_wrap",
        # An explicit policy: otherwise, under bf16, Accelerate's own casts all weights to bf16.
        mixed_precision_policy=MixedPrecisionPolicy(reduce_dtype=torch.float32),
        cpu_ram_efficient_loading=False,  # every rank has loaded the whole model: no broadcast
    )


def enable_cpu_sharding(accelerator: Accelerator) -> None:
    """Shard on the CPU too: Accelerate takes its FSDP plugin on GPUs only, FSDP2 itself does not.

    Args:
        accelerator: changed in place, if it trains on several CPU ranks.
    """
    if accelerator.distributed_type == DistributedType.MULTI_CPU:
        accelerator.state.fsdp_plugin = fsdp_plugin()
        for state in (PartialState(), accelerator.state):
            state.distributed_type = DistributedType.FSDP


def is_sharding(accelerator: Accelerator) -> bool:
    """Whether modules are sharded over the ranks."""
    return bool(accelerator.distributed_type == DistributedType.FSDP)


def place_module(module: nn.Module, accelerator: Accelerator) -> nn.Module:
    """Place a module that is not trained: whole on the device, or sharded if the student is.

    Args:
        module: moved or sharded in place.
        accelerator: device and ranks.
    """
    if not is_sharding(accelerator):
        return module.to(accelerator.device)
    placed: nn.Module = fsdp2_prepare_model(accelerator, module)
    return placed


def gather_tensor(tensor: Tensor) -> Tensor:
    """Gather a tensor on the CPU. If it is sharded, every rank must call.

    Args:
        tensor: of any shape, sharded or not.

    Returns:
        The whole tensor, detached; one that is on the CPU already is not copied, so it may be the
        weights in training, whose storage FSDP2 resizes: no NumPy array may share it.
    """
    tensor = tensor.detach()
    return (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).cpu()


def shard_like(tensor: Tensor, other: Tensor) -> Tensor:
    """Shard a whole tensor like another one: each rank keeps its shard.

    Args:
        tensor: the whole tensor, the same on every rank.
        other: of the same shape; if it is not sharded, `tensor` is returned as it is.
    """
    if not isinstance(other, DTensor):
        return tensor
    whole = tensor.to(other.device)
    # Every rank cuts its shard out of its own copy: None stops rank 0 from sending it to all.
    return distribute_tensor(whole, other.device_mesh, other.placements, src_data_rank=None)


def gather_model(model: nn.Module) -> nn.Module:
    """The model itself or, if it is sharded, a whole copy on the CPU. Every rank must call.

    Args:
        model: a transformers model, whose configuration builds the copy.
    """
    if not any(isinstance(p, DTensor) for p in model.parameters()):
        return model
    weights = {name: gather_tensor(p) for name, p in model.named_parameters()}
    # A new model, because FSDP2 has replaced the parameters of the sharded one in place.
    plain = type(model)(copy.deepcopy(model.config))
    parameters = dict(plain.named_parameters())
    with torch.no_grad():
        for name, weight in weights.items():
            parameters[name].copy_(weight)
    return plain
