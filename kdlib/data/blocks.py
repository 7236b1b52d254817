"""Blocks: documents as one stream of tokens, cut into pieces of one length."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from tokenizers import Tokenizer

from kdlib.data.document import Document, utf8_bytes
from kdlib.data.encoding import encode_documents
from kdlib.errors import UserError
from kdlib.losses.alignment import predicting

PART = 2**20  # tokens that are looked at together, where all are looked at


@dataclass(frozen=True)
class Blocks:
    """Token blocks of one length.

    Those of a large text are on the disk (`kdlib.data.stored_blocks`): of them, rows can be read.

    Neighbouring blocks from `make_blocks` overlap by one token, so that every token but the
    stream's first is predicted exactly once.

    Attributes:
        ids: (N, length + 1) int64, token ids.
        mask: (N, length + 1) int64, 1 for a token, 0 where a block is padded (from `make_blocks`:
            the end of the last one).
        bytes: UTF-8 bytes of the text that the predicted tokens spell.
        document: (N, length + 1) int32, the number of each token's document, in their order; None
            where the blocks were not made of documents.
        answer: (N, length + 1) int32, the number of the answer that a token belongs to, from 1, and
            0 for what is only read; None where everything is learned, as of a text.
    """

    ids: torch.Tensor
    mask: torch.Tensor
    bytes: int
    document: torch.Tensor | None = None
    answer: torch.Tensor | None = None

    def __len__(self) -> int:
        return self.ids.shape[0]

    @property
    def predicted_tokens(self) -> int:
        """Tokens that a model predicts and that count."""
        return sum(int(self.counted(rows).sum()) for rows in self.parts())

    @property
    def predicted_per_block(self) -> float:
        """Of them, those of a block on average; the padding at a text's end is not deducted."""
        length = self.ids.shape[1] - 1
        return length if self.answer is None else self.predicted_tokens / len(self)

    def parts(self) -> Iterator[slice]:
        """All rows, some at a time: the whole of a large text does not fit into memory."""
        step = max(1, PART // self.ids.shape[1])
        return (slice(first, first + step) for first in range(0, len(self), step))

    def full(self) -> torch.Tensor:
        """(N,) boolean, the blocks without padding."""
        found = [self.mask[rows].bool().all(1) for rows in self.parts()]
        return torch.cat(found) if found else torch.zeros(0, dtype=torch.bool)

    def counted(self, rows: torch.Tensor | slice = slice(None)) -> torch.Tensor:
        """The positions that predict a token which counts: one that is real, read behind a real
        one, and part of an answer where there are answers.

        Args:
            rows: of these blocks; all if left out.

        Returns:
            (R, length) boolean.
        """
        counted = predicting(self.mask[rows])
        return counted if self.answer is None else counted & (self.answer[rows, 1:] > 0)

    @cached_property
    def lengths(self) -> torch.Tensor | None:
        """(N,) real tokens of each row of records, which are of many lengths; None for a text,
        whose blocks are full."""
        return None if self.answer is None else self.mask.sum(1)

    @property
    def mean_length(self) -> int:
        """Tokens that a model reads of a block, on average: padding behind a record is cut off."""
        lengths = self.lengths
        return self.ids.shape[1] if lengths is None else round(lengths.double().mean().item())

    def longest(self, rows: torch.Tensor | slice) -> int:
        """Tokens of the longest of these blocks: what stands behind is padding for all of them.

        Args:
            rows: their numbers.
        """
        return self.ids.shape[1] if self.lengths is None else int(self.lengths[rows].max())

    def take(self, rows: torch.Tensor) -> Blocks:
        """Some of the blocks. How many bytes they hold is not known.

        Args:
            rows: (R,) their numbers.
        """
        document = None if self.document is None else self.document[rows]
        answer = None if self.answer is None else self.answer[rows]
        return Blocks(self.ids[rows], self.mask[rows], 0, document, answer)


def make_blocks(
    documents: list[Document],
    tokenizer: Tokenizer,
    length: int,
    end_of_text: int,
    advance: Callable[[int], object] = int,
) -> Blocks:
    """Documents, each after an end-of-text token, as one stream cut into blocks.

    The stream ends with an end-of-text token, so the model also has to predict where a text stops.

    Args:
        documents: the texts, in the order in which they are joined.
        tokenizer: encodes them, without special tokens of its own.
        length: tokens predicted per block; a block holds one more.
        end_of_text: id of the token between documents; the last block is padded with it too.
        advance: is told how many characters have been encoded since it was last called.

    Returns:
        N blocks of ``length + 1`` tokens.

    Raises:
        UserError: for a text of less than two blocks.
    """
    encoded = encode_documents(documents, tokenizer, advance)
    tokens = 1 + sum(len(ids) + 1 for ids in encoded)
    refuse_too_little(tokens, documents, length)
    count = -(-(tokens - 1) // length)
    # The first token is read with the first document, the padding with the last.
    ids = torch.full((count * length + 1,), end_of_text)
    document = torch.full((count * length + 1,), len(encoded) - 1, dtype=torch.int32)
    mask = torch.ones_like(ids)
    mask[tokens:] = 0
    document[0] = place = 0
    for number, of_document in enumerate(encoded):
        end = place + len(of_document) + 1  # of the separator, which belongs to what it ends
        ids[place + 1 : end] = torch.from_numpy(of_document)
        document[place + 1 : end + 1] = number
        place = end
    return Blocks(
        ids.unfold(0, length + 1, length).contiguous(),
        mask.unfold(0, length + 1, length).contiguous(),
        utf8_bytes(documents),
        document.unfold(0, length + 1, length).contiguous(),
    )


def refuse_too_little(tokens: int, documents: list[Document], length: int) -> None:
    """Refuse a text of less than two blocks.

    Args:
        tokens: of the text.
        documents: the text, for the error.
        length: tokens predicted per block.

    Raises:
        UserError: for fewer tokens.
    """
    if tokens < 2 * length:
        raise UserError(
            f"text: only {tokens} tokens in {_named(documents)}, less than two blocks of {length};"
            " give more text, a larger fraction or a smaller block"
        )


def _named(documents: list[Document]) -> str:
    """The documents by name, if they are few."""
    if not documents:
        return "no document"
    first = documents[0].name
    return first if len(documents) == 1 else f"{first} and {len(documents) - 1:,} other documents"
