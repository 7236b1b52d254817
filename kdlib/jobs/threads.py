"""How many threads a run computes with: chosen once, and the same at every resume.

Another number of threads sums in another order, which changes a sum's last digits. So the number
belongs to the run, not to the moment: it is written into the run's state, and the report says it.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

from kdlib.machine.distributed import is_main
from kdlib.machine.spare_threads import spare_threads
from kdlib.training.run_state import read_state, write_state

THREADS = "threads"


@contextlib.contextmanager
def threads_of(run: Path | None, device: torch.device) -> Iterator[int]:
    """Compute with the threads of a run; without one, with those that the machine can spare.

    It never takes more than torch would: on a smaller machine, or with a smaller ``OMP_NUM_THREADS``,
    a run goes on with fewer threads than it began with, and this is said.

    Args:
        run: folder of the run that is gone on with or measured; None for a new one.
        device: where the models are. Beside a GPU the processor has little to do, and takes what
            torch takes.

    Yields:
        Their number.
    """
    most = torch.get_num_threads()
    begun = None if run is None else read_state(run).get(THREADS)
    if begun is not None:
        count = min(begun, most)
    else:  # a run of an older version has taken what torch takes
        count = spare_threads() if run is None and device.type == "cpu" else most
    if is_main() and (said := _said(count, most, begun)):
        print(f"{'Threads':10}{said}", file=sys.stderr)  # standard output may be JSON
    if count == most:  # torch is not told what it knows: in a fork, it can fail at being told
        yield count
        return
    torch.set_num_threads(count)
    try:
        yield count
    finally:
        torch.set_num_threads(most)


def note_threads(run: Path, count: int) -> None:
    """Note in the state of a run with how many threads it goes on; a report names the fewest."""
    state = read_state(run)
    if count < state.get(THREADS, count + 1):
        write_state(run, state | {THREADS: count})


def _said(count: int, most: int, begun: int | None) -> str:
    """What a user should know of the number; nothing where it is what torch takes by itself."""
    if begun is not None and count < begun:
        return f"{count}; the run began with {begun}, so its last digits can differ from now on"
    if count == most:
        return ""
    if begun is not None:
        return f"{count} of {most}, with which the run began"
    return f"{count} of {most}: other work keeps the machine busy; OMP_NUM_THREADS={most} takes them all"
