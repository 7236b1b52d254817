"""Count the operations that run: unlike a time, a count is the same on every machine."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode


def operations(act: Callable[[], object]) -> int:
    """Multiplications and additions of all matrix products while a function runs.

    Fused kernels count only if torch knows how many operations they take. On a CPU an LSTM counts
    as 0, and so does attention unless it is made of plain products
    (``attn_implementation="eager"``).

    Args:
        act: the function to run and count.

    Returns:
        The number of operations; a multiplication and an addition are two.
    """
    with FlopCounterMode(display=False, custom_mapping=_UNKNOWN_TO_TORCH) as counter:
        act()
    return int(counter.get_total_flops())


def _added_in_place(sums: torch.Size, left: torch.Size, right: torch.Size, **_: object) -> int:
    """Operations of ``sums += left @ right``, from the three shapes."""
    return 2 * math.prod(left) * right[1]


_UNKNOWN_TO_TORCH = {torch.ops.aten.addmm_: _added_in_place}
