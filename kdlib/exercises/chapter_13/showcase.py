"""How the museum shows a piece: the task, with the broken code below it."""

from collections.abc import Callable
from typing import Any

from kdlib.exercises.kinds.stubs import definition


def with_code(task: str, broken: Callable[..., Any]) -> str:
    """The prompt of an exercise that asks to mend `broken`."""
    return f"{task}\n\n```python\n{definition(broken)}\n```"
