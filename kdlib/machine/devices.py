"""The device and precision of a run, compilation, and what a report says about the machine."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from kdlib.errors import UserError
from kdlib.machine.distributed import world_size
from kdlib.machine.sharding import enable_cpu_sharding, fsdp_plugin

LIBRARIES = ("torch", "transformers", "accelerate", "tokenizers", "safetensors")


def pick_device(wanted: str) -> str:
    """The device to use.

    Args:
        wanted: "cpu", "cuda", "mps", or "auto" for a GPU if there is one.

    Raises:
        UserError: for a device that this machine does not have.
    """
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
    """The precision of the matrix products: bf16 where that is faster, else fp32.

    On a CPU, faster means AMX tiles: plain AVX512-bf16 was measured to be slower than float32 at
    the sizes of these recipes, because every product first converts its inputs.

    Args:
        wanted: "bf16", "fp32" or "auto".
        device: "cpu", "cuda" or "mps".

    Raises:
        UserError: for bf16 on mps.
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
    """Set up device, mixed precision and ranks, as many as were started.

    fp32 means float32 in every product: TF32 keeps 10 bits of the mantissa, so it stays off. For
    speed, use bf16, which says what it is.

    Args:
        device: "cpu", or a GPU that `pick_device` has found.
        precision: "bf16" or "fp32".
        sharding: "full" shards the weights if there are several ranks; "none" keeps a copy on each.
    """
    shards = sharding == "full" and world_size() > 1
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
    """Compile each transformer block in place.

    The blocks are alike, so one compilation serves all. Names of weights, sharding and the loss
    are not affected.

    Args:
        model: a transformers model; one that does not name its blocks stays as it is.
        **options: of ``torch.compile``.
    """
    names = set(getattr(model, "_no_split_modules", None) or ())
    for part in model.modules():
        if type(part).__name__ in names:
            part.compile(**options)


def library_versions() -> dict[str, str]:
    """Versions of Python, kdlib and the libraries that its numbers depend on."""
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in ("kdlib", *LIBRARIES)},
    }


def describe_machine(accelerator: Accelerator, precision: str) -> dict[str, Any]:
    """What a report says about the machine.

    Args:
        accelerator: device and ranks.
        precision: of the matrix products, "bf16" or "fp32".

    Returns:
        "device", "processor" (the CPU's name), "threads" and "precision"; on a GPU of NVIDIA's or
        AMD's also "accelerator", with the "name" and the "memory_gb" of one (10^9 bytes) and the
        "count" that the run uses, one for each rank.
    """
    device = accelerator.device
    machine: dict[str, Any] = {
        "device": str(device),
        "processor": processor_name(),
        "threads": torch.get_num_threads(),
        "precision": precision,
    }
    if device.type == "cuda":
        machine["accelerator"] = {
            "name": torch.cuda.get_device_name(device),
            "memory_gb": round(torch.cuda.get_device_properties(device).total_memory / 1e9, 1),
            "count": accelerator.num_processes,
        }
    return machine


def processor_name() -> str:
    """Name of the CPU, as far as the system tells."""
    name = {"linux": _linux_processor, "darwin": _mac_processor}.get(sys.platform, str)()
    return name or platform.processor() or platform.machine()


def _linux_processor() -> str:
    """The model's name; empty where the kernel tells none, as on many ARM machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, "")


def _mac_processor() -> str:
    """The chip's name; `platform` knows only "arm" or "i386"."""
    command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def peak_accelerator_bytes() -> int | None:
    """Most memory that tensors of this process took on its GPU at one time, in bytes.

    Returns:
        The peak; None where no GPU was used, or one that does not count (mps).
    """
    if not (torch.cuda.is_available() and torch.cuda.is_initialized()):
        return None
    return int(torch.cuda.max_memory_allocated()) or None


def peak_memory_bytes() -> int:
    """Peak resident memory of this process, in bytes."""
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    # On Linux, getrusage includes the process that started this one; /proc/self/status does not.
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
