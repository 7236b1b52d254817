"""Documents as blocks of tokens of one length."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from tokenizers import Tokenizer

from kdlib.data.documents import Document
from kdlib.errors import UserError


@dataclass(frozen=True)
class Blocks:
    """Token blocks of one length. Neighbours overlap by one token, so that every token but the
    stream's first is predicted exactly once.

    ids: (N, length + 1) int64.  mask: the same shape, 1 where a token stands, 0 where the last
    block is padded.  bytes: UTF-8 bytes of the text that the predicted tokens spell.
    """

    ids: torch.Tensor
    mask: torch.Tensor
    bytes: int

    def __len__(self) -> int:
        return self.ids.shape[0]

    @property
    def predicted_tokens(self) -> int:
        return int(self.mask[:, 1:].sum())


def make_blocks(
    documents: list[Document], tokenizer: Tokenizer, length: int, end_of_text: int
) -> Blocks:
    """Documents, each after an end-of-text token, as one stream cut into blocks.

    The stream ends with an end-of-text token, so the model is also asked where a text stops.
    """
    encoded = tokenizer.encode_batch([d.text for d in documents], add_special_tokens=False)
    stream = [end_of_text]
    for encoding in encoded:
        stream += encoding.ids + [end_of_text]
    if len(stream) < 2 * length:
        raise UserError(
            f"text: only {len(stream)} tokens, less than two blocks of {length};"
            " give more text, a larger fraction or a smaller block"
        )
    count = -(-(len(stream) - 1) // length)
    padding = count * length + 1 - len(stream)
    ids = torch.tensor(stream + [end_of_text] * padding)
    mask = torch.ones_like(ids)
    mask[len(stream) :] = 0
    return Blocks(
        ids.unfold(0, length + 1, length).contiguous(),
        mask.unfold(0, length + 1, length).contiguous(),
        sum(len(d.text.encode()) for d in documents),
    )
