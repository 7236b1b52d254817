"""Ctrl-C and a polite kill, heard between two steps instead of in the middle of one."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType


@dataclass
class Stop:
    is_set: bool = False


@contextlib.contextmanager
def stop_signals() -> Iterator[Stop]:
    """Turn SIGINT and SIGTERM into a wish that the loop reads between two steps."""
    stop = Stop()

    def wish(number: int, frame: FrameType | None) -> None:
        stop.is_set = True

    try:
        previous = {s: signal.signal(s, wish) for s in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread (a notebook's executor): signals stay as they are
        yield stop
        return
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
