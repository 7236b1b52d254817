"""The roofline of a loss: how fast it could be, by its counted work and this machine's peaks.

The floor of `kdlib.bench.loss` times the loss's own products, in their own shapes. The roofline
knows no shapes: operations at the speed of the fastest product that was seen, or bytes at the
speed of a copy, whichever takes longer (Williams et al. 2009).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import torch

from kdlib.bench.costs import LossSize, loss_flops

SQUARE = 2048  # rows and columns of a product that is large enough for any processor to be at ease
COPIED_BYTES = 2**28  # more than any cache holds
TRIES = 10


class Peaks(NamedTuple):
    """What a machine reached.

    Attributes:
        flops: multiplications and additions in a second, of one large product.
        bytes: read or written in a second, by one large copy.
    """

    flops: float
    bytes: float


class Roofline(NamedTuple):
    """The work of a loss, and the least seconds that it can take.

    Attributes:
        flops: operations of the four products.
        bytes: of hidden states and heads, read once, and of the gradients, written once.
        peak_flops: the machine's, in a second.
        peak_bytes: the machine's, in a second.
    """

    flops: float
    bytes: float
    peak_flops: float
    peak_bytes: float
    seconds: float

    def __str__(self) -> str:
        bound = "operations" if self.flops / self.peak_flops >= self.seconds else "bytes"
        return (
            f"{self.flops / 1e9:.1f} G operations and {self.bytes / 1e9:.2f} GB at"
            f" {self.peak_flops / 1e9:.0f} G/s and {self.peak_bytes / 1e9:.1f} GB/s, measured;"
            f" bound by {bound}"
        )


def roofline(size: LossSize, dtype: torch.dtype, peaks: Peaks) -> Roofline:
    """The roofline of a loss.

    Args:
        size: of the loss.
        dtype: of hidden states and heads.
        peaks: of the machine, for this dtype.
    """
    flops, moved = loss_flops(size), least_bytes(size, dtype)
    seconds = max(flops / peaks.flops, moved / peaks.bytes)
    return Roofline(flops, moved, *peaks, seconds)


def least_bytes(size: LossSize, dtype: torch.dtype) -> int:
    """Bytes that every implementation moves: inputs read once, gradients written once; no logits.

    Args:
        size: of the loss.
        dtype: of hidden states, heads and their gradients.
    """
    rows = size.tokens + size.vocabulary
    return dtype.itemsize * rows * (2 * size.width + size.teacher_width)


def measure_peaks(dtype: torch.dtype, device: torch.device) -> Peaks:
    """Measure a machine's peaks: the best of a few tries of one product and of one copy.

    Args:
        dtype: of the product's factors.
        device: to measure.
    """
    square = torch.ones(SQUARE, SQUARE, dtype=dtype, device=device)
    product = torch.empty_like(square)
    numbers = torch.zeros(COPIED_BYTES // 4, device=device)
    copied = torch.zeros_like(numbers)  # zeros, not empty: the system hands out pages at first use
    return Peaks(
        2 * SQUARE**3 / _best_seconds(lambda: torch.mm(square, square, out=product), device),
        2 * COPIED_BYTES / _best_seconds(lambda: copied.copy_(numbers), device),
    )


def _best_seconds(work: Callable[[], object], device: torch.device) -> float:
    """The least seconds of some tries."""
    taken = []
    for _ in range(TRIES):
        started = time.perf_counter()
        work()
        if device.type != "cpu":
            torch.accelerator.synchronize(device)
        taken.append(time.perf_counter() - started)
    return min(taken)
