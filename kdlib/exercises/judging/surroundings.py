"""What all code of a program shares: set for the book's own code and for answers, then put back."""

from __future__ import annotations

import builtins
import contextlib
import math
import os
import random
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

# Where an answer may put functions of its own in the place of others'.
SHARED: tuple[Any, ...] = (
    builtins, math, random, np, torch, torch.nn.functional, torch.special, torch.linalg,
    torch.Tensor,
)  # fmt: skip


@contextlib.contextmanager
def standard() -> Iterator[None]:
    """The default dtype is float32 and gradients are recorded, whatever the reader has set."""
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.enable_grad():
            yield
    finally:
        torch.set_default_dtype(dtype)


@contextlib.contextmanager
def while_imported() -> Iterator[None]:
    """For modules that make tensors as they load: `standard`, and ordinary tensors on the CPU."""
    with standard(), torch.inference_mode(False), torch.device("cpu"):
        yield


@contextlib.contextmanager
def restored() -> Iterator[None]:
    """What an answer may change for everybody is put back, but for functions: see `intact`."""
    states = random.getstate(), np.random.get_state(), torch.random.get_rng_state()
    dtype, depth = torch.get_default_dtype(), sys.getrecursionlimit()
    streams, variables, folder = (sys.stdout, sys.stderr), dict(os.environ), _folder()
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.random.set_rng_state(states[2])
        torch.set_default_dtype(dtype)
        sys.setrecursionlimit(depth)
        sys.stdout, sys.stderr = streams
        _put_back(variables)
        if folder is not None and folder != _folder():
            os.chdir(folder)


def _folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # it was deleted
        return None


def _put_back(variables: dict[str, str]) -> None:
    for name in os.environ.keys() - variables.keys():
        del os.environ[name]
    for name, value in variables.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


@contextlib.contextmanager
def intact() -> Iterator[None]:
    """Functions of torch and its like that are replaced in here are put back afterwards."""
    kept = [(home, dict(vars(home))) for home in SHARED]
    try:
        yield
    finally:
        for home, names in kept:
            _undo(home, names)


def _undo(home: Any, before: dict[str, Any]) -> None:
    now = vars(home)
    for name in [name for name, value in before.items() if now.get(name) is not value]:
        if _is_function(name, before[name]):
            setattr(home, name, before[name])
    if isinstance(home, type):  # an inherited method is replaced by adding one
        for name in now.keys() - before.keys():
            if _is_function(name, now[name]):
                delattr(home, name)


def _is_function(name: str, value: Any) -> bool:
    return callable(value) and not name.startswith("_")
