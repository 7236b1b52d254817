"""A few tokens on which a model is tried before it is trusted with a text."""

from __future__ import annotations

import torch
from torch import Tensor

PROBE_TOKENS = 8


def probe_ids(slots: int, device: torch.device | str = "cpu") -> Tensor:
    """One row of the first few tokens, which every model has.

    Args:
        slots: size of the model's vocabulary; of a smaller one than the row, tokens repeat.
        device: where the model is.

    Returns:
        (1, 8) int64 token ids.
    """
    return torch.arange(PROBE_TOKENS, device=device)[None] % slots
