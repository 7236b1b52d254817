"""The text of a reference function: what a solution shows, and the stub that is made from it."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any


def definition(function: Callable[..., Any]) -> str:
    """The function's text without its decorator."""
    text = textwrap.dedent(inspect.getsource(function))
    start = ast.parse(text).body[0].lineno  # of `def`, not of the decorator
    return "\n".join(text.splitlines()[start - 1 :])


def stub(function: Callable[..., Any]) -> str:
    """The function's head and docstring, and nothing done. ValueError without a docstring."""
    text = definition(function)
    tree = ast.parse(text).body[0]
    if not isinstance(tree, ast.FunctionDef) or ast.get_docstring(tree) is None:
        raise ValueError(f"{function.__name__}: the reference needs a docstring; the stub shows it")
    return "\n".join(
        [*text.splitlines()[: tree.body[0].end_lineno], "    raise NotImplementedError"]
    )
