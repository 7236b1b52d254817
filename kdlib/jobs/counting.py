"""The baseline that counts, of a lesson of any size."""

from __future__ import annotations

from typing import NamedTuple

import torch

from kdlib.data.blocks import Blocks
from kdlib.data.stored_blocks import is_stored
from kdlib.models.ngram import NGram

# Tokens that are counted of a text on the disk, about as many as the largest text in memory has. A
# table of everything would grow with the text; counting takes some 40 bytes a token for a while.
COUNTED = 2**23
STRETCHES = 64  # from all over the text; n-grams are counted within each


class Counted(NamedTuple):
    """An n-gram model of a text.

    Attributes:
        ngram: the model.
        share: of the text's tokens, that it has counted.
    """

    ngram: NGram
    share: float


def count_blocks(blocks: Blocks, vocabulary: int) -> Counted:
    """The n-gram model of a text; of one that is on the disk, of stretches from all over it.

    Args:
        blocks: the text.
        vocabulary: tokens that are possible.
    """
    if not is_stored(blocks):
        return Counted(NGram.fit(blocks.ids, blocks.mask, vocabulary), 1)
    stretches = _stretches(len(blocks), COUNTED // blocks.ids.shape[1])
    ids = torch.cat([blocks.ids[rows].int() for rows in stretches])
    mask = torch.cat([blocks.mask[rows].bool() for rows in stretches])
    return Counted(NGram.fit(ids, mask, vocabulary), len(ids) / len(blocks))


def _stretches(blocks: int, wanted: int) -> list[slice]:
    """Evenly spaced rows of a text; all, if no more are there than wanted."""
    if blocks <= wanted:
        return [slice(0, blocks)]
    length = max(1, wanted // STRETCHES)
    number = max(1, wanted // length)
    starts = [(blocks - length) * place // max(1, number - 1) for place in range(number)]
    return [slice(start, start + length) for start in starts]
