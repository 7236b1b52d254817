"""Which device and precision a run uses, and how much memory it took."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from kdlib.errors import UserError
from kdlib.machine.sharding import enable_cpu_sharding, fsdp_plugin

LIBRARIES = ("torch", "transformers", "accelerate", "tokenizers", "safetensors")


def pick_device(wanted: str) -> str:
    """The device meant by 'auto', or the wanted one if it is there."""
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if wanted == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if available[name])
    if not available[wanted]:
        raise UserError(
            f"device: {wanted} was asked for, but this machine has none; use --device auto"
        )
    return wanted


def pick_precision(wanted: str, device: str) -> str:
    """bf16 where its matrix products are the faster ones.

    On a processor that means AMX tiles: plain AVX512-bf16 was measured slower than float32 at the
    sizes of these recipes, because every product first converts its inputs.
    """
    if wanted == "bf16" and device == "mps":
        raise UserError("precision: bf16 is not supported on mps; use --precision fp32")
    if wanted != "auto":
        return wanted
    fast: dict[str, Callable[[], bool]] = {
        "cuda": lambda: torch.cuda.is_bf16_supported(including_emulation=False),
        "mps": lambda: False,
        "cpu": lambda: torch.cpu._is_amx_tile_supported(),
    }
    return "bf16" if fast[device]() else "fp32"


def make_accelerator(device: str, precision: str, sharding: str = "none") -> Accelerator:
    """One process or several, as they were started; `sharding` "full" spreads weights over several.

    fp32 means float32 in every product: TF32 keeps 10 bits of a number, so it stays off. Who wants
    speed takes bf16, which is named for what it is.
    """
    shards = sharding == "full" and int(os.environ.get("WORLD_SIZE", "1")) > 1
    accelerator = Accelerator(
        cpu=device == "cpu",
        mixed_precision="bf16" if precision == "bf16" else "no",
        fsdp_plugin=fsdp_plugin() if shards else None,
    )
    if shards:
        enable_cpu_sharding(accelerator)
    torch.set_float32_matmul_precision("highest")
    return accelerator


def compile_layers(model: nn.Module, **options: Any) -> None:
    """torch.compile each transformer block in place. Blocks are alike, so it costs one compilation,
    and neither names of weights nor sharding nor the loss are touched."""
    names = set(getattr(model, "_no_split_modules", None) or ())
    for part in model.modules():
        if type(part).__name__ in names:
            part.compile(**options)


def library_versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in ("kdlib", *LIBRARIES)},
    }


def describe_machine(accelerator: Accelerator, precision: str) -> dict[str, Any]:
    return {
        "device": str(accelerator.device),
        "processor": processor_name(),
        "threads": torch.get_num_threads(),
        "precision": precision,
    }


def processor_name() -> str:
    """The processor's name, as far as the system tells."""
    try:
        with open("/proc/cpuinfo") as file:
            names = [
                line.split(":", 1)[1].strip() for line in file if line.startswith("model name")
            ]
        return names[0]
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def peak_memory_bytes() -> int:
    """The largest resident memory that this process has had."""
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    # On Linux getrusage also remembers the process that started this one; its own status does not.
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
