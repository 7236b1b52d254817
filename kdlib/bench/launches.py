"""Count the operations that a GPU would be asked for: each is the launch of a kernel, or more.

On the meta device nothing is computed, so a step of any size is counted on any machine, at once.
What a launch takes is some microseconds; a step whose launches take longer than its arithmetic
waits for the host.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

# These hand out memory, or another look at it, and compute nothing.
FREE = ("empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "detach", "set_")


class Launches(TorchDispatchMode):
    """A context that counts operations by their names.

    Attributes:
        counts: how often each was run, without those that compute nothing.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch has no types here
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = operation.overloadpacket.__name__
        if not operation.is_view and name not in FREE:
            self.counts[name] += 1
        return operation(*args, **(kwargs or {}))


def launches(run: Callable[[], object]) -> int:
    """The number of operations of a function.

    Args:
        run: a function of tensors on the meta device, or on any other.
    """
    with Launches() as mode:
        run()
    return sum(mode.counts.values())
