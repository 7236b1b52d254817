"""How many tokens an evaluation reads at a time: few on a processor, as many as fit on a GPU."""

from __future__ import annotations

import torch

# On a processor: the matrices of so few tokens are still in its caches when they are read again.
ON_PROCESSOR = 512
# Matrices (tokens, V) of float32 that two models and all comparisons hold at once, with room.
MATRICES = 16
SHARE = 0.25  # of the free memory: what the layers take in between is not counted
MOST = 1 << 16  # tokens, beyond which a GPU gains nothing more


def tokens_at_once(device: torch.device, vocabulary: int) -> int:
    """Tokens in a batch of an evaluation.

    Args:
        device: where the models are.
        vocabulary: their output slots, V.

    Returns:
        At least `ON_PROCESSOR`, at most `MOST`. It changes scores by rounding alone: no row looks at
        another.
    """
    if device.type != "cuda":  # mps tells no free memory
        return ON_PROCESSOR
    free, _ = torch.cuda.mem_get_info(device)
    fitting = int(SHARE * free) // (MATRICES * vocabulary * 4)
    return min(max(ON_PROCESSOR, fitting), MOST)
