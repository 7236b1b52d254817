"""The element-wise part of the loss through a compiler: few passes over the logits instead of many.

Whether that is worth the compiler's start depends on the machine. `kdlib bench loss` times both and
notes the faster one; whoever trains there afterwards uses it. KDLIB_COMPILE=on or off overrides.
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
from platformdirs import user_cache_path
from torch import Tensor

COMPILERS = ("c++", "g++", "clang++")
_forced: list[bool] = []


def kl_and_gradient(student: Tensor, teacher: Tensor, a: float, b: float) -> tuple[Tensor, Tensor]:
    """From logits (N, V), all finite: KL(P‖Q) and log-sum-exp of the student, each (N), in float32 or
    better. The student's logits become (a + b) Q - b P, in their own dtype."""
    return _compiled()(student, teacher, a, b)


def is_preferred(logits: Tensor) -> bool:
    """Whether the compiled form is to be used for logits of this kind on this machine."""
    if _forced:
        return _forced[-1]
    asked = os.environ.get("KDLIB_COMPILE", "auto")
    return asked == "on" or (asked != "off" and _winners().get(_kind_of(logits), False))


def is_available(device: torch.device) -> bool:
    """Whether there is a compiler for this device."""
    if device.type == "cpu":
        return any(map(shutil.which, (os.environ.get("CXX", ""), *COMPILERS)))
    return importlib.util.find_spec("triton") is not None


@contextlib.contextmanager
def forced(choice: bool) -> Iterator[None]:
    """Use the compiled form, or do not, whatever has been noted."""
    _forced.append(choice)
    try:
        yield
    finally:
        _forced.pop()


def record_winner(logits: Tensor, wins: bool) -> None:
    """Keep for later which form was the faster one for logits of this kind."""
    path = _winners_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(_winners() | {_kind_of(logits): wins}, indent=1) + "\n")
    os.replace(draft, path)
    _winners.cache_clear()


def _fused(student: Tensor, teacher: Tensor, a: float, b: float) -> tuple[Tensor, Tensor]:
    exact = torch.promote_types(student.dtype, torch.float32)
    log_q, log_p = (logits.log_softmax(-1, dtype=exact) for logits in (student, teacher))
    p = log_p.exp()
    kl, mass = (p * (log_p - log_q)).sum(-1), student.to(exact).logsumexp(-1)
    student.copy_((a + b) * log_q.exp() - b * p)
    return kl, mass


@functools.cache
def _compiled() -> Callable[..., tuple[Tensor, Tensor]]:
    return torch.compile(_fused, dynamic=True)


def _kind_of(logits: Tensor) -> str:
    """Times differ by device, threads, release, and by the vocabulary's size: here its power of two."""
    parts = (
        torch.__version__,
        logits.device.type,
        torch.get_num_threads(),
        logits.shape[-1].bit_length(),
    )
    return "/".join(map(str, parts))


def _winners_path() -> Path:
    return user_cache_path("kdlib") / "compiled.json"


@functools.cache
def _winners() -> dict[str, bool]:
    with contextlib.suppress(OSError, ValueError):
        noted = json.loads(_winners_path().read_text())
        return noted if isinstance(noted, dict) else {}
    return {}
