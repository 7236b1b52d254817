"""Several processes that train one model: what one does for all, and what all must agree on.

They are started by `torchrun` or `accelerate launch`, on one machine or several that share a file
system. Started otherwise, a process is alone and is the main one.

What is agreed on passes through a group of its own on the CPU. A GPU's queue does not wait for it,
and it notices at once when a process is gone.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from kdlib.errors import UserError

T = TypeVar("T")

# The main process may work for hours while the others wait; one that is gone is noticed anyway.
PATIENCE = timedelta(days=7)


class ProcessLost(UserError):
    """Another process of the run has ended."""


def is_main() -> bool:
    return rank() == 0


def rank() -> int:
    return int(os.environ.get("RANK", "0"))


def is_distributed() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


@functools.cache
def _group() -> dist.ProcessGroup:
    group: dist.ProcessGroup = dist.new_group(backend="gloo", timeout=PATIENCE)
    return group


def any_rank(wish: bool) -> bool:
    """Whether any of the processes wishes it; the same answer on all."""
    if not is_distributed():
        return wish
    flag = torch.tensor(int(wish))
    dist.all_reduce(flag, dist.ReduceOp.MAX, group=_group())
    return bool(flag)


def run_on_main(work: Callable[[], T]) -> T:
    """What `work` returns on the main process, on all of them once it is done. A UserError there is
    raised on all."""
    if not is_distributed():
        return work()
    outcome: list[Any] = [None, None]
    if is_main():
        try:
            outcome = [work(), None]
        except UserError as error:
            outcome = [None, str(error)]
    with lost_ranks_named():
        dist.broadcast_object_list(outcome, src=0, group=_group())
    result: T
    result, refusal = outcome
    if refusal is not None:
        raise UserError(refusal)
    return result


@contextlib.contextmanager
def hold_on_main(context: AbstractContextManager[Any]) -> Iterator[None]:
    """The main process enters the context for all."""
    with contextlib.ExitStack() as held:
        run_on_main(lambda: held.enter_context(context) and None)
        yield


@contextlib.contextmanager
def lost_ranks_named(advice: str = "start again with --resume") -> Iterator[None]:
    """Turn the transport's complaint that nobody answers into ProcessLost."""
    try:
        yield
    except RuntimeError as error:
        if not is_distributed() or not _is_transport_error(error):
            raise
        raise ProcessLost(f"processes: another process of this run has ended; {advice}") from error


def _is_transport_error(error: RuntimeError) -> bool:
    return isinstance(error, dist.DistError) or "gloo" in str(error) or "NCCL" in str(error)


def shut_down() -> None:
    """Leave the others in good order at the end."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()
