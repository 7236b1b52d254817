"""Where each scored token stands: in which document, in which block, at which place, which token.

An interval needs pieces of text that are like draws from all texts. Those are documents. Of a text
that is one document, nothing better is left than its blocks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from kdlib.data.blocks import Blocks


class Layout(NamedTuple):
    """The places of the T counted tokens of a text, in the text's order.

    Attributes:
        document: (T,) int32, number of the token's document.
        block: (T,) int32, number of its block.
        position: (T,) int32, tokens that stand before it in its block: 1 or more.
        token: (T,) int32, its id.
    """

    document: np.ndarray
    block: np.ndarray
    position: np.ndarray
    token: np.ndarray

    @property
    def unit(self) -> str:
        """What an interval treats as one draw: "document", or "block" where there is but one."""
        return "document" if len(np.unique(self.document)) > 1 else "block"

    def by_unit(self, quantity: np.ndarray) -> np.ndarray:
        """Sum a quantity of the tokens (T,) over each document or block: (units,) float64."""
        _, index = np.unique(getattr(self, self.unit), return_inverse=True)
        return np.bincount(index, weights=quantity.astype(np.float64))


def layout_of(blocks: Blocks) -> Layout:
    """The layout of the tokens that a model predicts in these blocks."""
    counted = blocks.counted()
    shape = blocks.ids.shape
    document = blocks.document
    if document is None:
        document = torch.zeros(shape, dtype=torch.int32)
    block = torch.arange(shape[0])[:, None].expand(shape)
    position = torch.arange(shape[1]).expand(shape)
    places = (document, block, position, blocks.ids)
    return Layout(*(place[:, 1:][counted].to(torch.int32).numpy() for place in places))
