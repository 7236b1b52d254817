"""How many of a processor's cores are there for torch's products, beside what else the machine does.

The threads of a product wait for one another at its end. Where other work has taken a core, each
product waits until the thread on that core gets its turn again, thousands of times a second: fewer
threads, each on a core of its own, are then faster than more.
"""

from __future__ import annotations

import os

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
        At least 1. Torch's own number where the user has chosen it (``OMP_NUM_THREADS``), where
        several ranks share the machine, and where the system does not tell what its cores do.
    """
    most = torch.get_num_threads()
    if most == 1 or any(name in os.environ for name in CHOSEN_BY_USER) or world_size() > 1:
        return most
    try:
        idle = max(_idle_cores() for _ in range(PARTS))
    except (OSError, psutil.Error):
        return most
    return max(1, min(most, round(idle)))


def _idle_cores() -> float:
    """How many of the cores that this process may use were idle, on average over ``SECONDS``."""
    busy = dict(enumerate(psutil.cpu_percent(SECONDS, percpu=True)))
    # Not every system binds a process to cores (macOS does not): then it may use them all.
    ours = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else busy.keys()
    return sum(1 - busy[core] / 100 for core in busy.keys() & ours)
