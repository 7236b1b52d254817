"""Matrix products of half-precision numbers whose results are wanted in float32.

Libraries add such products up in float32, and then round the sum to half precision, unless they are
told to write it as it is. On a GPU they can be told.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

PIECE_BYTES = 2**22  # of a product: what a processor's cache can hold


def add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """total += left @ right, in place.

    The sum stays in float32: with bfloat16's 8 bits the hundredth chunk would hardly change it.

    Args:
        total: (M, K), in the dtype of the factors or in float32.
        left: (M, N).
        right: (N, K), of the same dtype.
    """
    kind = total.device.type
    if total.dtype == left.dtype:
        total.addmm_(left, right)  # no M x K product beside the sum
    elif writes_float32(kind, left.dtype):
        torch.addmm(total, left, right, out_dtype=total.dtype, out=total)
    elif kind != "cpu":
        total.add_(left @ right)
    else:
        # The product is rounded and has to be converted: in pieces, each is still in the cache.
        # Elsewhere each piece would be two launches more, for nothing.
        rows = max(1, PIECE_BYTES // (right.element_size() * right.shape[1]))
        for piece, part in zip(total.split(rows), left.split(rows)):
            piece.add_(part @ right)


@functools.cache
def writes_float32(kind: str, dtype: torch.dtype) -> bool:
    """Whether products of this dtype can be written, and added up, in float32.

    It is tried, on a matrix of ones: versions of torch differ in what they take.

    Args:
        kind: of the device, such as "cuda".
        dtype: of the factors.
    """
    if kind == "cpu" or dtype.itemsize >= 4:
        return False
    try:
        ones = torch.ones(16, 16, dtype=dtype, device=kind)
        total = torch.ones(16, 16, device=kind)
        torch.mm(ones, ones, out_dtype=total.dtype, out=total)
        torch.addmm(total, ones, ones, out_dtype=total.dtype, out=total)
    except (NotImplementedError, RuntimeError, TypeError):
        return False
    return kind == "meta" or bool((total == 32).all())
