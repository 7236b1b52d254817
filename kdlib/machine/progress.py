"""Progress of long work: a bar in a terminal, a plain line now and then in a file or a pipe."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

from kdlib.machine.distributed import is_main

SECONDS = 15.0  # between two lines of a log
MANY = 2000  # files; fewer are read before a bar can be
# At 80 columns there is room for the numbers or for a bar, not for both.
NARROW = 100
NARROW_FORMAT = "{desc}: {percentage:.0f}% [{elapsed}<{remaining}{postfix}]"


class ProgressLines(tqdm):  # type: ignore[type-arg]
    """The same numbers as a bar's, each time on a line of its own that ends as lines do."""

    def __init__(self, unit: str, **settings: Any) -> None:
        units = unit + ("es" if unit.endswith("ch") else "s")
        form = f"{{desc}}: {{n_fmt}}/{{total_fmt}} {units}, {{elapsed}}{{postfix}}"
        super().__init__(bar_format=form, mininterval=SECONDS, miniters=1, unit=unit, **settings)

    @staticmethod
    def status_printer(file: Any) -> Any:
        """Where a bar goes back to the beginning of its line, a log goes on to the next."""
        last = [""]

        def write(line: str) -> None:
            if line == last[0]:
                return
            last[0] = line
            with contextlib.suppress(BrokenPipeError):  # of `2>&1 | head`: the work goes on
                file.write(f"{line}\n")
                file.flush()

        return write

    def close(self) -> None:
        """Say how far it came. tqdm's own end of a bar would add an empty line."""
        if self.disable:
            return
        self.disable = True
        self._decr_instances(self)  # type: ignore[attr-defined]
        if self.n > self.initial:
            self.display()


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
    settings: dict[str, Any] = {
        "desc": phase,
        "total": total,
        "initial": done,
        "unit": unit,
    } | silence
    if not sys.stderr.isatty():
        return ProgressLines(**settings)
    narrow = os.get_terminal_size(sys.stderr.fileno()).columns < NARROW
    form = NARROW_FORMAT if narrow else None
    return tqdm(mininterval=0.2, dynamic_ncols=True, bar_format=form, **settings)


def watched(phase: str, items: list[Any]) -> Iterable[Any]:
    """The items one by one, with a bar where they are many.

    Args:
        phase: what is done with them.
        items: files or documents.
    """
    if len(items) < MANY:
        yield from items
        return
    with progress_bar(phase, len(items), unit="file") as bar:
        for item in items:
            yield item
            bar.update()
