"""The element-wise part of the loss, compiled: few passes over the logits instead of many.

Its last digits are others than those of the eager form, so nothing but the caller chooses it, never
a benchmark that some machine has seen: a run that resumes must take the same steps (see
`kdlib.jobs.loss_pass`).
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

COMPILERS = ("c++", "g++", "clang++")
_chosen = [False]  # innermost last


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


@contextlib.contextmanager
def use_compiled(choice: bool) -> Iterator[None]:
    """Within this context, the fused loss uses the compiled form, where it has one, or does not.

    Outside of any, it does not.

    Args:
        choice: whether to use it. The first loss then takes the compiler's seconds.
    """
    _chosen.append(choice)
    try:
        yield
    finally:
        _chosen.pop()


def uses_compiled() -> bool:
    """Whether the compiled form is to be used."""
    return _chosen[-1]


def is_available(device: torch.device) -> bool:
    """Whether there is a compiler for this device."""
    if device.type == "cpu":
        return any(map(shutil.which, (os.environ.get("CXX", ""), *COMPILERS)))
    return importlib.util.find_spec("triton") is not None


@functools.cache
def works(device: torch.device) -> bool:
    """Whether the compiled form can be made here, and computes what the eager one does.

    It is tried, on a few logits: a compiler that is found may still lack a header. The first
    answer takes the compiler's seconds.
    """
    if not is_available(device):
        return False
    generator = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(2, 100, generator=generator).to(device) for _ in range(2))
    eager = student.clone()
    expected = (*_fused(eager, teacher, 0.5, 0.5), eager)
    try:
        made = (*kl_and_gradient(student, teacher, 0.5, 0.5), student)
    except Exception:  # whatever a compiler, or what calls it, raises
        return False
    pairs = zip(made, expected, strict=True)
    return all(torch.allclose(one, other, rtol=1e-4, atol=1e-5) for one, other in pairs)


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
