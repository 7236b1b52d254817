"""SIGINT (Ctrl-C) and SIGTERM (kill), handled between two steps instead of within one."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType


@dataclass
class Stop:
    """Whether a signal has asked the loop to stop.

    Attributes:
        is_set: set by the signal handler, read by the loop.
    """

    is_set: bool = False


@contextlib.contextmanager
def stop_signals() -> Iterator[Stop]:
    """Turn SIGINT and SIGTERM into a flag that the loop reads between two steps.

    The previous handlers are restored at the end. Outside the main thread, signals stay as they
    are and the flag is never set.
    """
    stop = Stop()

    def request_stop(number: int, frame: FrameType | None) -> None:
        stop.is_set = True

    try:
        previous = {s: signal.signal(s, request_stop) for s in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread (a notebook's executor): signals stay as they are
        yield stop
        return
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
