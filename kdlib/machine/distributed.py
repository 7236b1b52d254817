"""Several ranks that train one model: what the main rank does for all, and what they agree on.

The ranks are started by ``torchrun`` or ``accelerate launch``, on one machine or on several that
share a file system. Started in any other way, a process is alone: rank 0, world size 1.

All-reduce, broadcast and barrier here use a process group of their own on the CPU (gloo). It does
not wait for the GPU's queue, and it notices at once when a rank has died.
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

# The main rank may work for hours while the others wait in a broadcast: gloo's default of half an
# hour would end the run. A rank that has died is noticed anyway, by its closed connection.
PATIENCE = timedelta(days=7)


class ProcessLost(UserError):
    """Another rank of the run has ended."""


def is_main() -> bool:
    """Whether this is the main rank, rank 0, the only one that writes files."""
    return rank() == 0


def rank() -> int:
    """This process's rank; 0 if it is alone."""
    # From the environment: messages and progress bars need it before a process group exists.
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    """How many ranks were started; 1 if this process is alone."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_distributed() -> bool:
    """Whether the world size is above 1."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


@functools.cache
def _group() -> dist.ProcessGroup:
    """The process group on the CPU, created once."""
    # Creating it is a collective too: every rank gets here with its first all-reduce or broadcast.
    group: dist.ProcessGroup = dist.new_group(backend="gloo", timeout=PATIENCE)
    return group


def any_rank(wish: bool) -> bool:
    """All-reduce of a flag with MAX: whether it is set on any rank. Every rank must call.

    Args:
        wish: this rank's flag.

    Returns:
        The same answer on all ranks.

    Raises:
        RuntimeError: if a rank has died; `lost_ranks_named` turns it into `ProcessLost`.
    """
    if not is_distributed():
        return wish
    # On the CPU: a flag on the GPU would be queued behind the step, and reading it would wait.
    flag = torch.tensor(int(wish))
    dist.all_reduce(flag, dist.ReduceOp.MAX, group=_group())
    return bool(flag)


def run_on_main(work: Callable[[], T]) -> T:
    """Run `work` on the main rank and broadcast its result; a barrier for the others.

    Args:
        work: called on the main rank only. Its result is pickled if there are several ranks.

    Returns:
        The result, on every rank, once the work is done.

    Raises:
        UserError: on all ranks, if `work` raises one on the main rank.
        ProcessLost: if another rank has ended, for example because `work` raised another error.
    """
    if not is_distributed():
        return work()
    outcome: list[Any] = [None, None]
    if is_main():
        try:
            outcome = [work(), None]
        except UserError as error:
            # Sent, not raised here: the other ranks would only learn that this one has gone.
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
    """Enter a context on the main rank, for all: a lock that only one process can hold.

    Args:
        context: entered and left on the main rank only.

    Raises:
        UserError: on all ranks, if entering raises one.
    """
    with contextlib.ExitStack() as held:
        # `and None`: what the context yields is not broadcast, and need not be picklable.
        run_on_main(lambda: held.enter_context(context) and None)
        yield


@contextlib.contextmanager
def lost_ranks_named(advice: str = "start again with --resume") -> Iterator[None]:
    """Turn a failed collective into an error that says that another rank has ended.

    Args:
        advice: what the user can do, the end of the message.

    Raises:
        ProcessLost: for an error of gloo or NCCL; any other error passes unchanged.
    """
    try:
        yield
    except RuntimeError as error:
        if not is_distributed() or not _is_transport_error(error):
            raise
        raise ProcessLost(f"processes: another process of this run has ended; {advice}") from error


def _is_transport_error(error: RuntimeError) -> bool:
    """Whether the error comes from the communication between ranks."""
    # gloo raises a plain RuntimeError, so its text is all there is to go by.
    return isinstance(error, dist.DistError) or "gloo" in str(error) or "NCCL" in str(error)


def shut_down() -> None:
    """Leave the process group in good order, at the end of a run."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()
