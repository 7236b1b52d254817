"""Run a reader's code so that neither a mistake nor an endless loop harms the notebook.

The code runs in a thread of its own, in any program, and the caller waits until the processor has
worked for so many seconds, or four times as many have passed: a busy machine stops no ordinary
answer. That works in a Jupyter kernel, in pytest and where signals do not. A thread that is late
gets an exception thrown into it, which ends ordinary loops; one that will not end is left behind as
a daemon, and the reader is told to restart the kernel. This is no prison: code that wants to do
harm (os._exit, deleting files) can, as it can in any cell.
"""

from __future__ import annotations

import contextlib
import copy
import ctypes
import random
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from kdlib.exercises.judging.surroundings import restored, standard
from kdlib.exercises.judging.tracebacks import is_stub, message, own_line, told
from kdlib.exercises.judging.values import WrongType, plain, same, stacked

GRACE = 0.5  # seconds in which a late thread may still end
ASLEEP = 4  # times the seconds of work that code may take by the clock: some code only waits
IMPORTING = 60.0  # seconds that a late thread may go on importing


class TimeUp(BaseException):
    """Thrown into late code. Not an Exception, so that `except Exception` does not catch it."""


@dataclass(frozen=True)
class Failure:
    """Instead of a value. kind: the exception's name. text: what the reader is shown."""

    kind: str
    text: str
    stub: bool = False


@dataclass(frozen=True)
class Run:
    """What came of one call: a plain value or a Failure, and whether an argument was changed."""

    value: Any
    mutated: bool = False


def call(
    function: Callable[..., Any], args: tuple[Any, ...], measure: Callable[..., Any] | None = None
) -> Run:
    """One guarded call on copies of `args`. measure(function, *args) may do the calling instead."""
    own, raised = copy.deepcopy(args), list[BaseException]()
    with standard():
        _seed(0)
        try:
            value = measure(_watched(function, raised), *own) if measure else function(*own)
            if value is None or value is ...:
                return Run(Failure("nothing", "", stub=True))
            value = plain(value)
        except TimeUp:
            raise
        except WrongType as error:
            return Run(Failure("WrongType", str(error)))
        except BaseException as error:
            is_probes = measure is not None and not any(error is own_one for own_one in raised)
            return Run(_failure(error, function, is_probes))
    return Run(value, _changed(args, own))


def _watched(function: Callable[..., Any], raised: list[BaseException]) -> Callable[..., Any]:
    """The function as a measure calls it: what it raises is noted, rows in a list are stacked."""

    def watched(*args: Any, **options: Any) -> Any:
        try:
            return stacked(function(*args, **options))
        except BaseException as error:
            raised.append(error)
            raise

    return watched


def _failure(error: BaseException, function: Callable[..., Any], is_probes: bool) -> Failure:
    """is_probes: the error was raised while the probe looked at what the function had returned."""
    line = own_line(error, function)
    if is_probes and not line:
        return Failure("unusable", message(error) or type(error).__name__)
    text = f"{told(error)}\n{line}" if line else told(error)
    return Failure(type(error).__name__, text, stub=is_stub(error, function))


def _changed(before: tuple[Any, ...], after: tuple[Any, ...]) -> bool:
    """Whether an argument of plain values was changed in place. Modules are not compared."""
    for old, new in zip(before, after):
        with contextlib.suppress(WrongType):
            if not same(plain(old), plain(new), 0, 0):
                return True
    return False


def within(seconds: float, work: Callable[[], Any]) -> Any:
    """work(), or TimeoutError after so many seconds of it. What all code shares is put back.

    What `work` raises is raised here.
    """
    result: list[Any] = []
    raised: list[BaseException] = []
    ended = threading.Event()  # a join that is interrupted takes the thread for ended

    def body() -> None:
        try:
            with standard():
                result.append(work())
        except TimeUp:
            pass
        except BaseException as error:
            raised.append(error)
        finally:
            ended.set()

    thread = threading.Thread(target=body, daemon=True, name="exercise")
    with restored():
        thread.start()
        try:
            _wait(ended, seconds)
            if _waited_for_imports(thread, ended):
                _wait(ended, seconds)
        finally:  # also if the reader interrupts
            _stop(thread, ended)
    if raised:
        raise raised[0]
    if result:
        return result[0]
    raise TimeoutError("stopped" if ended.is_set() else "still running")


def _wait(ended: threading.Event, seconds: float) -> None:
    """Until the work has ended, or has used up its seconds."""
    late, worked = time.monotonic() + ASLEEP * seconds, time.process_time() + seconds
    while time.process_time() < worked and time.monotonic() < late:
        if ended.wait(0.05):
            return


def _waited_for_imports(thread: threading.Thread, ended: threading.Event) -> bool:
    """A module that is broken off while it loads stays broken, for everybody: let it load.

    torch loads large parts of itself at the first use of an optimiser or of torch.func.
    """
    start, importing = time.monotonic(), _is_importing(thread)
    while _is_importing(thread) and time.monotonic() < start + IMPORTING:
        ended.wait(0.1)
    return importing


def _is_importing(thread: threading.Thread) -> bool:
    frame = sys._current_frames().get(thread.ident or 0)
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _stop(thread: threading.Thread, ended: threading.Event) -> None:
    """Throw into work that goes on until it ends; the rest of the thread must end undisturbed."""
    deadline = time.monotonic() + GRACE
    while not ended.is_set() and time.monotonic() < deadline:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident or 0), ctypes.py_object(TimeUp)
        )
        ended.wait(0.05)
    thread.join(max(deadline - time.monotonic(), 0))


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)
