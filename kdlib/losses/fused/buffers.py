"""Scratch matrices that one chunk of the fused loss hands on to the next."""

from __future__ import annotations

import torch
from torch import Tensor


class Buffers:
    """Named scratch matrices (rows, V), allocated once for all chunks.

    Allocating them anew for each chunk can take longer than the arithmetic.

    Args:
        rows: the most rows that a chunk has.
        vocabulary: its number of tokens, V.
        dtype: of the logits and of what is computed from them.
        device: where the matrices are.
    """

    def __init__(self, rows: int, vocabulary: int, dtype: torch.dtype, device: torch.device):
        self.shape, self.dtype, self.device = (rows, vocabulary), dtype, device
        self._kept: dict[str, Tensor] = {}

    def get(self, name: str, rows: int) -> Tensor:
        """The first rows of the matrix of that name.

        Args:
            name: any but "narrow"; one name is one piece of memory.
            rows: how many; the last chunk is shorter.

        Returns:
            (rows, V), uninitialised: it holds whatever the last user left.
        """
        return self._kept_as(name, self.dtype)[:rows]

    def narrow(self, rows: int, dtype: torch.dtype) -> Tensor:
        """The one matrix in another dtype: the result of a product, until it is converted.

        Args:
            rows: how many.
            dtype: of the matrix products; the same in every call.

        Returns:
            (rows, V), uninitialised.
        """
        # One is enough: every product is converted before the next one is computed.
        return self._kept_as("narrow", dtype)[:rows]

    def _kept_as(self, name: str, dtype: torch.dtype) -> Tensor:
        """The whole matrix of that name."""
        # On first use, not up front: a T = 1 loss never needs the "softened" matrix, for example.
        if name not in self._kept:
            self._kept[name] = torch.empty(self.shape, dtype=dtype, device=self.device)
        return self._kept[name]
