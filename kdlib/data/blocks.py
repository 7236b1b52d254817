"""Blocks: documents as one stream of tokens, cut into pieces of one length."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from tokenizers import Tokenizer

from kdlib.data.documents import Document
from kdlib.errors import UserError


@dataclass(frozen=True)
class Blocks:
    """Token blocks of one length.

    Neighbouring blocks from `make_blocks` overlap by one token, so that every token but the
    stream's first is predicted exactly once.

    Attributes:
        ids: (N, length + 1) int64, token ids.
        mask: (N, length + 1) int64, 1 for a token, 0 where a block is padded (from `make_blocks`:
            the end of the last one).
        bytes: UTF-8 bytes of the text that the predicted tokens spell.
        document: (N, length + 1) int32, the number of each token's document, in their order; None
            where the blocks were not made of documents.
    """

    ids: torch.Tensor
    mask: torch.Tensor
    bytes: int
    document: torch.Tensor | None = None

    def __len__(self) -> int:
        return self.ids.shape[0]

    @property
    def predicted_tokens(self) -> int:
        """Tokens that a model predicts: all but the first of each block, without padding."""
        return int(self.mask[:, 1:].sum())


def make_blocks(
    documents: list[Document], tokenizer: Tokenizer, length: int, end_of_text: int
) -> Blocks:
    """Documents, each after an end-of-text token, as one stream cut into blocks.

    The stream ends with an end-of-text token, so the model also has to predict where a text stops.

    Args:
        documents: the texts, in the order in which they are joined.
        tokenizer: encodes them, without special tokens of its own.
        length: tokens predicted per block; a block holds one more.
        end_of_text: id of the token between documents; the last block is padded with it too.

    Returns:
        N blocks of ``length + 1`` tokens.

    Raises:
        UserError: for a text of less than two blocks.
    """
    encoded = tokenizer.encode_batch([d.text for d in documents], add_special_tokens=False)
    stream = [end_of_text]
    for encoding in encoded:
        stream += encoding.ids + [end_of_text]  # which belongs to the document that it ends
    lengths = torch.tensor([len(encoding.ids) + 1 for encoding in encoded])
    document = torch.arange(len(encoded), dtype=torch.int32).repeat_interleave(lengths)
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
    # The first token is read with the first document, the padding with the last.
    document = torch.cat([document[:1], document, document[-1:].expand(padding)])
    return Blocks(
        ids.unfold(0, length + 1, length).contiguous(),
        mask.unfold(0, length + 1, length).contiguous(),
        sum(len(d.text.encode()) for d in documents),
        document.unfold(0, length + 1, length).contiguous(),
    )
