"""How many of a processor's cores are there for torch's products, beside what else the machine does.

The threads of a product wait for one another at its end. Where other work has taken a core, each
product waits until the thread on that core gets its turn again: fewer threads, each on a core of its
own, are then faster than more.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

import psutil
import torch

from kdlib.machine.distributed import world_size

# The machine is looked at for a second, in parts, and the quietest part counts: work that is over in
# a moment, like the end of an installation, must not slow down an hour of training.
PARTS, SECONDS = 5, 0.2
CHOSEN_BY_USER = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def spare_threads() -> int:
    """As many threads as cores are idle, and never more than torch has now.

    Returns:
        At least 1. Torch's own number where nothing else is going on; where the user has chosen it
        (``OMP_NUM_THREADS``); where several ranks share the machine; and where the system does not
        tell what the cores do.
    """
    most = torch.get_num_threads()
    if most == 1 or _user_has_chosen() or world_size() > 1:
        return most
    try:
        cores = max((_idle_and_busy() for _ in range(PARTS)), key=lambda part: part.idle)
    except (OSError, LookupError, psutil.Error):
        return most
    return most if round(cores.busy) == 0 else max(1, min(most, round(cores.idle)))


def _user_has_chosen() -> bool:
    """Whether the environment says how many; what is no number, OpenMP does not heed, either."""
    return any(re.match(r"\s*[1-9]", os.environ.get(name, "")) for name in CHOSEN_BY_USER)


class _Cores(NamedTuple):
    """How many of the cores that this process may use did nothing, on average, and how many did."""

    idle: float
    busy: float


def _idle_and_busy() -> _Cores:
    """What the cores do for ``SECONDS``. LookupError where that is told of other cores than ours."""
    busy = dict(enumerate(psutil.cpu_percent(SECONDS, percpu=True)))
    # Not every system binds a process to cores (macOS does not): then it may use them all.
    ours = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(busy)
    # In some containers, and where cores are switched off, one counts from 0 and one does not.
    if not ours or not ours <= busy.keys():
        raise LookupError(f"of cores {sorted(ours)}, the system tells {sorted(busy)}")
    taken = sum(busy[core] for core in ours) / 100
    return _Cores(len(ours) - taken, taken)
