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
    found = [_places(blocks, rows) for rows in blocks.parts()]
    return Layout(*(torch.cat(places).numpy() for places in zip(*found, strict=True)))


def _places(blocks: Blocks, rows: slice) -> list[torch.Tensor]:
    """The fields of the layout, of some of the blocks."""
    ids, counted = blocks.ids[rows], blocks.counted(rows)
    document = torch.zeros_like(ids) if blocks.document is None else blocks.document[rows]
    block = (rows.start + torch.arange(len(ids)))[:, None].expand(ids.shape)
    position = torch.arange(ids.shape[1]).expand(ids.shape)
    return [place[:, 1:][counted].to(torch.int32) for place in (document, block, position, ids)]
