"""The interface of every source of a teacher's targets, be it the teacher itself or a disk."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from torch import Tensor

from kdlib.losses.fused.inputs import Targets
from kdlib.losses.spans import SpanTargets

# Makes the context of a forward pass, for mixed precision. What is computed ahead needs that of the
# steps: the same products in another precision are other targets.
Autocast = Callable[[], contextlib.AbstractContextManager[Any]]


class TeacherTargets(ABC):
    """What a teacher says about blocks: ``targets(rows, ids)``, by their row numbers.

    Attributes:
        reads_ahead: whether `prefetch` does anything; if not, a loop need not call it.
    """

    reads_ahead = False

    @abstractmethod
    def __call__(
        self, rows: Tensor, ids: Tensor, own: Tensor | None = None
    ) -> Targets | SpanTargets:
        """The targets of a batch.

        Args:
            rows: (B,) numbers of the blocks.
            ids: (B, S) their tokens, on the device where the targets are wanted.
            own: (B,) boolean, True where ids are not the block's but what the student wrote from
                its beginning; None where all are the block's. What was made ahead knows nothing of
                such a text: only a teacher that is at hand can be asked.

        Returns:
            Targets of the same (B, S), in a form that the loss takes.
        """

    def prefetch(self, rows: Tensor) -> None:
        """Begin to read the targets of the next step.

        Args:
            rows: (B,) numbers of the blocks.
        """
        return None
