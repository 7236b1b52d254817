"""Whose code failed: the reader's, the probe's, or that of a library?"""

from __future__ import annotations

import contextlib
import dis
import functools
import linecache
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import kdlib

LONGEST = 300  # characters of a message that are shown
LIBRARIES = tuple(
    str(path)
    for path in (
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        Path(kdlib.__file__).parent,
    )
)


def told(error: BaseException) -> str:
    """The error's name and its message, of which no more than is of use."""
    return ": ".join(filter(None, (type(error).__name__, message(error))))


def message(error: BaseException) -> str:
    """What the error says."""
    try:
        return shortened(str(error))
    except BaseException:  # the answer's own class may do anything
        return ""


def shortened(text: str) -> str:
    """The beginning of a long text."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."


def own_line(error: BaseException, answer: Any) -> str:
    """The reader's line that led to the error; "" if no code of the reader's was running."""
    homes = list(_namespaces(answer))
    own = [
        (frame, line)
        for frame, line in _frames(error)
        if _is_in(frame, homes) and not frame.f_code.co_filename.startswith(LIBRARIES)
    ]
    if not own:
        return ""
    frame, number = own[-1]
    text = linecache.getline(frame.f_code.co_filename, number, frame.f_globals).strip()
    return f"in line {number} of your code: {shortened(text)}" if text else ""


def is_stub(error: BaseException, answer: Any) -> bool:
    """Whether it is the stub's own `raise NotImplementedError`, and not that of a library.

    torch raises this too, with a message, for what it cannot compute.
    """
    if type(error) is not NotImplementedError or error.args or error.__traceback__ is None:
        return False
    last = _last(error.__traceback__)
    code = last.tb_frame.f_code.co_code
    is_raised_here = dis.opname[code[last.tb_lasti]] == "RAISE_VARARGS"
    return is_raised_here and _is_in(last.tb_frame, list(_namespaces(answer)))


def _frames(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    step = error.__traceback__
    while step is not None:
        yield step.tb_frame, step.tb_lineno
        step = step.tb_next


def _last(step: TracebackType) -> TracebackType:
    while step.tb_next is not None:
        step = step.tb_next
    return step


def _is_in(frame: FrameType, homes: list[dict[str, Any]]) -> bool:
    return any(frame.f_globals is home for home in homes)


def _namespaces(answer: Any) -> Iterator[dict[str, Any]]:
    """The global names of the answer: those of its module, or of all cells of its notebook."""
    with contextlib.suppress(Exception):  # an object of the reader's may refuse to be looked at
        for function in _layers(answer):
            if isinstance(home := getattr(function, "__globals__", None), dict):
                yield home
            elif module := sys.modules.get(getattr(function, "__module__", None) or ""):
                yield vars(module)


def _layers(function: Callable[..., Any]) -> Iterator[Any]:
    """The function, and what it wraps."""
    for _ in range(20):
        yield function
        if isinstance(function, functools.partial):
            function = function.func
        elif (inner := getattr(function, "__wrapped__", None)) is not None:
            function = inner
        else:
            return
