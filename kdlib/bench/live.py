"""Count the bytes of the tensors that some code makes, while they live.

The system's peak of a process knows of everything, and depends on the machine. These counts know of
tensors alone, and are the same everywhere.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor, UntypedStorage
from torch.utils._python_dispatch import TorchDispatchMode


class LiveBytes(TorchDispatchMode):
    """A context that counts the bytes of tensors made inside, while they live.

    Views share their memory, which counts once. What existed before does not count.

    Attributes:
        held: bytes of the tensors that live now.
        peak: the most that ever lived at once.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch has no types here
        self.held = 0
        self.peak = 0
        self._known: weakref.WeakSet[UntypedStorage] = weakref.WeakSet()

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        # An argument that was never made in here existed before: an operation in place returns it.
        self._known.update(_storages((args, kwargs)))
        result = operation(*args, **(kwargs or {}))
        for made in set(_storages(result)) - set(self._known):
            self._known.add(made)
            self._change(made.nbytes())
            weakref.finalize(made, self._change, -made.nbytes())
        return result

    def _change(self, size: int) -> None:
        self.held += size
        self.peak = max(self.peak, self.held)


def peak_bytes(run: Callable[[], object]) -> int:
    """The most bytes that tensors made by a function hold at once."""
    live = LiveBytes()
    with live:
        run()
    return live.peak


def _storages(values: object) -> Iterator[UntypedStorage]:
    """The pieces of memory behind the tensors in a nest of values."""
    if isinstance(values, Tensor):
        yield values.untyped_storage()
    elif isinstance(values, Mapping):
        yield from _storages(list(values.values()))
    elif isinstance(values, (list, tuple)):
        for value in values:
            yield from _storages(value)
