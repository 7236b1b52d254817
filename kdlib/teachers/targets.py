"""What every source of a teacher's targets can do, whether it reads the teacher or a disk."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from kdlib.losses.fused.inputs import Targets
from kdlib.losses.spans import SpanTargets


class TeacherTargets(ABC):
    """targets(rows, ids) -> what the teacher says about the blocks of these row numbers.

    Attributes:
        reads_ahead: whether `prefetch` does anything; a loop need not ask otherwise.
    """

    reads_ahead = False

    @abstractmethod
    def __call__(self, rows: Tensor, ids: Tensor) -> Targets | SpanTargets:
        """The targets of a batch.

        Args:
            rows: (B,) numbers of the blocks.
            ids: (B, S) their tokens, on the device that the targets are wanted on.

        Returns:
            Targets of the same (B, S), in a form that the loss takes.
        """

    def prefetch(self, rows: Tensor) -> None:
        """Begin to read what the next step will ask for."""
        return None
