"""The element-wise part of the loss, compiled: few passes over the logits instead of many.

Whether that is worth the compiler's start-up depends on the machine. ``kdlib bench loss`` times
both and records the faster one; later training on that machine uses it. ``KDLIB_COMPILE=on`` or
``off`` overrides.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

COMPILERS = ("c++", "g++", "clang++")
_forced: list[bool] = []


def kl_and_gradient(student: Tensor, teacher: Tensor, a: float, b: float) -> tuple[Tensor, Tensor]:
    """Forward KL and its gradient from logits, in one compiled pass.

    Args:
        student: (N, V) finite logits. They are overwritten by (a + b) Q - b P, in their own dtype.
        teacher: (N, V) finite logits.
        a: the weight of the labels.
        b: the weight of the teacher.

    Returns:
        KL(P‖Q) and the log-sum-exp of the student, each (N,), nats, in float32 or better.
    """
    return _compiled()(student, teacher, a, b)


def is_preferred(logits: Tensor) -> bool:
    """Whether to use the compiled form for logits (N, V) of this kind on this machine."""
    if _forced:
        return _forced[-1]
    setting = os.environ.get("KDLIB_COMPILE", "auto")
    return setting == "on" or (setting != "off" and _winners().get(_kind_of(logits), False))


def is_available(device: torch.device) -> bool:
    """Whether there is a compiler for this device."""
    if device.type == "cpu":
        return any(map(shutil.which, (os.environ.get("CXX", ""), *COMPILERS)))
    return importlib.util.find_spec("triton") is not None


@contextlib.contextmanager
def forced(choice: bool) -> Iterator[None]:
    """Within this context, use the compiled form or do not, whatever has been recorded."""
    _forced.append(choice)
    try:
        yield
    finally:
        _forced.pop()


def record_winner(logits: Tensor, wins: bool) -> None:
    """Record which form was the faster one for logits of this kind, for later runs.

    Args:
        logits: (N, V), of which only V and the device count.
        wins: whether it was the compiled form.
    """
    path = _winners_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    # Renamed into place: whoever reads meanwhile sees the old file or the new one, never half.
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(_winners() | {_kind_of(logits): wins}, indent=1) + "\n")
    os.replace(draft, path)
    _winners.cache_clear()  # else this process would go on with what it read before


def _fused(student: Tensor, teacher: Tensor, a: float, b: float) -> tuple[Tensor, Tensor]:
    """What is compiled; for its contract see `kl_and_gradient`."""
    # Widened in here: in compiled code the wide numbers stay in registers, never in a matrix.
    exact = torch.promote_types(student.dtype, torch.float32)
    log_q, log_p = (logits.log_softmax(-1, dtype=exact) for logits in (student, teacher))
    p = log_p.exp()
    kl, mass = (p * (log_p - log_q)).sum(-1), student.to(exact).logsumexp(-1)
    student.copy_((a + b) * log_q.exp() - b * p)
    return kl, mass


@functools.cache
def _compiled() -> Callable[..., tuple[Tensor, Tensor]]:
    """`_fused`, compiled on its first call."""
    # Dynamic: the last chunk has fewer rows, and a new shape would be a new compilation.
    return torch.compile(_fused, dynamic=True)


def _kind_of(logits: Tensor) -> str:
    """What the time depends on: release, device, threads and the vocabulary's power of two."""
    parts = (
        torch.__version__,
        logits.device.type,
        torch.get_num_threads(),
        logits.shape[-1].bit_length(),
    )
    return "/".join(map(str, parts))


def _winners_path() -> Path:
    """The file of recorded winners."""
    from platformdirs import user_cache_path  # here, so that the losses need torch alone

    return user_cache_path("kdlib") / "compiled.json"


@functools.cache
def _winners() -> dict[str, bool]:
    """Kind of logits -> whether the compiled form won; read once per process."""
    # A missing or damaged file only means that nothing is known: it must not stop a training.
    with contextlib.suppress(OSError, ValueError):
        noted = json.loads(_winners_path().read_text())
        return noted if isinstance(noted, dict) else {}
    return {}
