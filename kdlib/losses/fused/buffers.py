"""Memory for the matrices of many chunks."""

from __future__ import annotations

import torch
from torch import Tensor


class Buffers:
    """Memory for matrices (rows, V) that lasts for many chunks: asking the system for it anew each
    time can take longer than the arithmetic."""

    def __init__(self, rows: int, vocabulary: int, dtype: torch.dtype, device: torch.device):
        self.shape, self.dtype, self.device = (rows, vocabulary), dtype, device
        self._kept: dict[str, Tensor] = {}

    def get(self, name: str, rows: int) -> Tensor:
        """The first rows of the matrix of that name, holding whatever it held."""
        return self._kept_as(name, self.dtype)[:rows]

    def narrow(self, rows: int, dtype: torch.dtype) -> Tensor:
        """The one matrix in another dtype: what a product leaves, until it is converted."""
        return self._kept_as("narrow", dtype)[:rows]

    def _kept_as(self, name: str, dtype: torch.dtype) -> Tensor:
        if name not in self._kept:
            self._kept[name] = torch.empty(self.shape, dtype=dtype, device=self.device)
        return self._kept[name]
