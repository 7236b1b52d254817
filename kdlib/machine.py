"""Which device and precision a run uses, and how much memory it took."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version
from pathlib import Path

import torch
from accelerate import Accelerator

from kdlib.errors import UserError

LIBRARIES = ("torch", "transformers", "accelerate", "tokenizers", "safetensors")


def pick_device(wanted: str) -> str:
    """The device meant by 'auto', or the wanted one if it is there."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if available[name])
    if not available[wanted]:
        raise UserError(f"device: {wanted} was asked for, but this machine has none; use --device auto")
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
    fast = {
        "cuda": lambda: torch.cuda.is_bf16_supported(including_emulation=False),
        "mps": lambda: False,
        "cpu": lambda: torch.cpu._is_amx_tile_supported(),
    }
    return "bf16" if fast[device]() else "fp32"


def make_accelerator(device: str, precision: str) -> Accelerator:
    return Accelerator(
        cpu=device == "cpu", mixed_precision="bf16" if precision == "bf16" else "no"
    )


def versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in ("kdlib", *LIBRARIES)}}


def describe(accelerator: Accelerator, precision: str) -> dict:
    return {
        "device": str(accelerator.device),
        "processor": processor(),
        "threads": torch.get_num_threads(),
        "precision": precision,
    }


def processor() -> str:
    """The processor's name, as far as the system tells."""
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
        return names[0]
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def peak_memory_bytes() -> int:
    """The largest resident memory that this process has had."""
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        return psutil.Process().memory_info().peak_wset
    # On Linux getrusage also remembers the process that started this one; its own status does not.
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
