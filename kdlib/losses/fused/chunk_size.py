"""How many rows of logits the fused loss has in memory at once.

A chunk costs memory: three matrices (rows, V) at its peak, in float32, and a fourth of half
precision where the products are. So their size has a bound, and it does not depend on the number of
tokens.
"""

from __future__ import annotations

import torch

CACHE_BYTES = 2**22  # of one matrix: what a processor's cache can hold
LEAST_ROWS, MOST_ROWS = 256, 1024  # fewer rows starve the matrix products, more leave the cache
MOST_BYTES = 2**27  # of one matrix, 128 MiB: 256 rows of Llama 3's 128,256 tokens
GPU_TILE = 128  # rows that a GPU's product computes at a time: a part of a tile takes as long
GPU_BYTES = {4: 2**27, 2: 2**28}  # of one matrix, by the bytes of a factor


def chunk_rows(
    vocabulary: int,
    device: str = "cpu",
    products: torch.dtype = torch.float32,
    logits: torch.dtype = torch.float32,
) -> int:
    """Rows per chunk: few, to stay in a CPU's cache; many, to outlast a GPU's kernel launches.

    Args:
        vocabulary: its number of tokens, V.
        device: "cpu" (still enough rows for efficient matrix products), or else a GPU.
        products: the dtype of the matrix products.
        logits: the dtype that their results are kept in.
    """
    if device != "cpu":
        return _gpu_rows(vocabulary, products)
    # A processor reads and writes the V x H sum of the head's gradient once for each chunk, too: so
    # from some vocabulary on, more rows gain more than a cache that holds them.
    row = logits.itemsize * vocabulary
    wanted = min(MOST_ROWS, max(LEAST_ROWS, CACHE_BYTES // row))
    return max(LEAST_ROWS // 2, min(wanted, MOST_BYTES // row))


def _gpu_rows(vocabulary: int, products: torch.dtype) -> int:
    """Rows per chunk on a GPU, in whole tiles.

    Each chunk reads and writes the V x H sum of the head's gradient, however few its rows. Products
    in half precision are several times as fast, so they need more rows to take as long as that.
    """
    rows = GPU_BYTES[min(4, products.itemsize)] // 4 // vocabulary
    return max(GPU_TILE, rows // GPU_TILE * GPU_TILE)
