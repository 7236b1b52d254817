"""Run a reader's code so that neither a mistake nor an endless loop harms the notebook.

The code runs in a thread of its own, in any program, and the caller waits at most so many seconds.
That works in a Jupyter kernel, in pytest and where signals do not. A thread that is late gets an
exception thrown into it, which ends ordinary loops; one that will not end is left behind as a
daemon, and the reader is told to restart the kernel. This is no prison: code that wants to do harm
(os._exit, deleting files) can, as it can in any cell.
"""

from __future__ import annotations

import contextlib
import copy
import ctypes
import random
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from kdlib.exercises.judging.values import WrongType, plain, same

GRACE = 0.5  # seconds in which a late thread may still end
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
    own = copy.deepcopy(args)
    _seed(0)
    try:
        value = measure(function, *own) if measure else function(*own)
        if value is None or value is ...:
            return Run(Failure("nothing", "", stub=True))
        value = plain(value)
    except NotImplementedError:
        return Run(Failure("NotImplementedError", "", stub=True))
    except WrongType as error:
        return Run(Failure("WrongType", str(error)))
    except (Exception, SystemExit) as error:
        return Run(Failure(type(error).__name__, _where(error)))
    return Run(value, _changed(args, own))


def _where(error: BaseException) -> str:
    """The error in one line, and the line of the answer's own code that led to it."""
    message = traceback.format_exception_only(error)[-1].strip()
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename != __file__]
    own = [f for f in frames if "site-packages" not in f.filename]
    if not own or not own[-1].line:
        return message
    return f"{message}\nin line {own[-1].lineno} of your code: {own[-1].line}"


def _changed(before: tuple[Any, ...], after: tuple[Any, ...]) -> bool:
    """Whether an argument of plain values was changed in place. Modules are not compared."""
    for old, new in zip(before, after):
        with contextlib.suppress(WrongType):
            if not same(plain(old), plain(new), 0, 0):
                return True
    return False


def within(seconds: float, work: Callable[[], Any]) -> Any:
    """work(), or TimeoutError after so many seconds. Global random state is put back afterwards.

    What `work` raises is raised here.
    """
    result: list[Any] = []
    raised: list[BaseException] = []

    def body() -> None:
        try:
            result.append(work())
        except TimeUp:
            pass
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=body, daemon=True, name="exercise")
    with _restored():
        thread.start()
        thread.join(seconds)
        if _waited_for_imports(thread):
            thread.join(seconds)
        if thread.is_alive():
            _stop(thread)
    if raised:
        raise raised[0]
    if result:
        return result[0]
    raise TimeoutError("still running" if thread.is_alive() else "stopped")


def _waited_for_imports(thread: threading.Thread) -> bool:
    """A module that is broken off while it loads stays broken, for everybody: let it load.

    torch loads large parts of itself at the first use of an optimiser or of torch.func.
    """
    start, importing = time.monotonic(), _is_importing(thread)
    while _is_importing(thread) and time.monotonic() < start + IMPORTING:
        thread.join(0.1)
    return importing


def _is_importing(thread: threading.Thread) -> bool:
    frame = sys._current_frames().get(thread.ident or 0)
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _stop(thread: threading.Thread) -> None:
    deadline = time.monotonic() + GRACE
    while thread.is_alive() and time.monotonic() < deadline:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident or 0), ctypes.py_object(TimeUp)
        )
        thread.join(0.05)


@contextlib.contextmanager
def _restored() -> Iterator[None]:
    """What an answer may change for everybody: put it back."""
    states = random.getstate(), np.random.get_state(), torch.random.get_rng_state()
    dtype, depth = torch.get_default_dtype(), sys.getrecursionlimit()
    streams = sys.stdout, sys.stderr
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.random.set_rng_state(states[2])
        torch.set_default_dtype(dtype)
        sys.setrecursionlimit(depth)
        sys.stdout, sys.stderr = streams


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)
