"""Progress of long work: a bar in a terminal, an occasional line in a log file."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm

from kdlib.machine.distributed import is_main


def progress_bar(phase: str, total: int, *, done: int = 0, unit: str = "batch") -> tqdm[Any]:
    """Progress bar of a phase, on the main rank only.

    Args:
        phase: what is in progress.
        total: number of units.
        done: units done before the bar starts, in a resumed phase.
        unit: what is counted.
    """
    # Not given where a bar is wanted, so that TQDM_DISABLE still works.
    silence: dict[str, Any] = {} if is_main() else {"disable": True}
    return tqdm(
        desc=phase,
        total=total,
        initial=done,
        unit=unit,
        mininterval=0.2 if sys.stderr.isatty() else 15,
        dynamic_ncols=True,
        **silence,
    )
