"""Signals that ask a process to stop: Ctrl-C, kill, and the end of its terminal.

While a model is trained they are handled between two steps; elsewhere they interrupt at once.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

# SIGHUP comes when the terminal is closed or the connection to it is lost; Windows has none.
NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
Handler = Callable[[int, FrameType | None], None]


@dataclass
class Stop:
    """Whether a signal has asked the loop to stop.

    Attributes:
        is_set: set by the signal handler, read by the loop.
    """

    is_set: bool = False


@contextlib.contextmanager
def stop_signals() -> Iterator[Stop]:
    """Turn SIGINT, SIGTERM and SIGHUP into a flag that the loop reads between two steps.

    The previous handlers are restored at the end. A signal that is ignored, as `nohup` ignores
    SIGHUP, stays so. Outside the main thread, signals stay as they are and the flag is never set.
    """
    stop = Stop()

    def request_stop(number: int, frame: FrameType | None) -> None:
        stop.is_set = True

    with _handled_by(request_stop):
        yield stop


@contextlib.contextmanager
def interrupting_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP do what Ctrl-C does: raise KeyboardInterrupt, so that all is tidied.

    As for `stop_signals`, an ignored signal stays ignored and the handlers are restored.
    """
    with _handled_by(signal.default_int_handler):
        yield


@contextlib.contextmanager
def _handled_by(handler: Handler) -> Iterator[None]:
    """Handle the signals that ask to stop, but for those that are ignored."""
    previous = {}
    try:
        for number in [getattr(signal, name) for name in NAMES if hasattr(signal, name)]:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):  # None: of a C library
                previous[number] = signal.signal(number, handler)
    except ValueError:  # not the main thread (a notebook's executor): signals stay as they are
        pass
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)
