"""Progress of long work: a bar where somebody looks at it, a line now and then in a log file."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm

from kdlib.processes import is_main


def bar(phase: str, total: int, *, done: int = 0, unit: str = "batch") -> tqdm[Any]:
    return tqdm(
        desc=phase,
        total=total,
        initial=done,
        unit=unit,
        mininterval=0.2 if sys.stderr.isatty() else 15,
        dynamic_ncols=True,
        disable=not is_main(),
    )
