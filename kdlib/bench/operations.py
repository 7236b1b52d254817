"""How many operations really run: a count, the same on every machine, where a time is not."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode


def operations(act: Callable[[], object]) -> int:
    """Multiplications and additions of all matrix products while `act` runs.

    Fused kernels are counted where torch knows them, and as nothing where it does not: an LSTM on
    a processor, attention there unless it is made of plain products
    (`attn_implementation="eager"`).
    """
    with FlopCounterMode(display=False, custom_mapping=_UNKNOWN_TO_TORCH) as counter:
        act()
    return int(counter.get_total_flops())


def _added_in_place(sums: torch.Size, left: torch.Size, right: torch.Size, **_: object) -> int:
    """Of sums += left @ right, from the three shapes."""
    return 2 * math.prod(left) * right[1]


_UNKNOWN_TO_TORCH = {torch.ops.aten.addmm_: _added_in_place}
