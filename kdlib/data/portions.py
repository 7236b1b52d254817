"""Portions: a large text in parts that are turned into tokens one after another, and each anew.

Which portions there are follows from the documents' lengths alone, so work that was cut short goes
on with the first portion that is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from kdlib.data import encoding
from kdlib.data.document import Document, utf8_bytes
from kdlib.data.encoding import (
    Ids,
    NoJoint,
    encode_documents,
    encode_long,
    encode_stretches,
    stretch_ends,
)
from kdlib.errors import UserError

PORTION = 2**23  # characters, or a document's last few; of a byte each, their tokens take 32 MiB


class Portion(NamedTuple):
    """Some neighbouring documents, or some stretches of a long one.

    Attributes:
        documents: their numbers.
        stretches: of the one document; none for whole documents.
    """

    documents: range
    stretches: range = range(0)


class Tokens(NamedTuple):
    """The tokens of a portion.

    Attributes:
        ids: (T,) the documents' tokens, after each document the separator.
        ends: (D,) int64, where in them the documents' separators are.
        bytes: UTF-8 bytes of its text.
    """

    ids: Ids
    ends: NDArray[np.int64]
    bytes: int


def portions(documents: list[Document]) -> Iterator[Portion]:
    """The portions of a text, in its order.

    Args:
        documents: the text.
    """
    first = size = 0
    for number, document in enumerate(documents):
        length = len(document.body)
        if number > first and (size + length > PORTION or length > encoding.BATCH):
            yield Portion(range(first, number))
            first, size = number, 0
        if length > encoding.BATCH:
            yield from _of_long(number, length)
            first = number + 1
        else:
            size += length
    if first < len(documents):
        yield Portion(range(first, len(documents)))


def _of_long(number: int, length: int) -> Iterator[Portion]:
    """The portions of a long document."""
    count, together = len(stretch_ends(length)), max(1, PORTION // encoding.STRETCH)
    for first in range(0, count, together):
        last = min(first + together, count)
        yield Portion(range(number, number + 1), range(first, last))


def size_of(documents: list[Document], portion: Portion) -> int:
    """How many characters a portion has.

    Args:
        documents: the text.
        portion: of it.
    """
    return sum(len(document.body) for document in _documents(documents, portion))


def encode_portion(
    documents: list[Document],
    portion: Portion,
    tokenizer: Tokenizer,
    separator: int,
    advance: Callable[[int], object],
) -> Tokens:
    """Turn a portion into tokens: joined, those of all portions are those of the whole text.

    Args:
        documents: the text.
        portion: of it.
        tokenizer: encodes it, without special tokens of its own.
        separator: id of the token after each document.
        advance: is told how many characters have been encoded since it was last called.

    Raises:
        UserError: for a long document that the tokenizer cannot read in stretches.
    """
    of_portion = _documents(documents, portion)
    size = utf8_bytes(of_portion)
    if not portion.stretches:
        encoded = encode_documents(of_portion, tokenizer, advance)
        return _joined(encoded, separator, [len(ids) for ids in encoded], size)
    whole = documents[portion.documents.start]
    count = len(stretch_ends(len(whole.body)))
    parts = _encode_long(whole, portion.stretches, tokenizer, advance)
    if portion.stretches.stop < count:
        return Tokens(np.concatenate(parts), np.empty(0, np.int64), size)
    return _joined([np.concatenate(parts)], separator, [sum(map(len, parts))], size)


def _documents(documents: list[Document], portion: Portion) -> list[Document]:
    """The text of a portion, as documents."""
    if not portion.stretches:
        return documents[portion.documents.start : portion.documents.stop]
    whole, first, last = (
        documents[portion.documents.start],
        portion.stretches.start,
        portion.stretches.stop,
    )
    ends = stretch_ends(len(whole.body))
    return [whole.cut(ends[first - 1] if first else 0, ends[last - 1])]


def _encode_long(
    document: Document,
    stretches: range,
    tokenizer: Tokenizer,
    advance: Callable[[int], object],
) -> list[Ids]:
    """The tokens of some stretches of a document."""
    if len(stretches) == len(stretch_ends(len(document.body))):
        return [encode_long(document.body, tokenizer, advance)]
    try:
        return list(encode_stretches(document.body, stretches, tokenizer, advance))
    except NoJoint as error:
        raise UserError(
            f"text: {document.name} has {len(document.body):,} characters, and this tokenizer cannot"
            f" read it in stretches: what it makes of a place depends on more than"
            f" {encoding.OVERLAP:,} characters around it; give the text as files of at most"
            f" {PORTION:,} characters"
        ) from error


def _joined(encoded: list[Ids], separator: int, lengths: list[int], size: int) -> Tokens:
    """Documents, each with the separator behind it."""
    between = np.array([separator], np.int32)
    ids = np.concatenate([part for tokens in encoded for part in (tokens, between)])
    return Tokens(ids, np.cumsum(np.array(lengths, np.int64) + 1) - 1, size)


def cut() -> list[int]:
    """What the portions of a text depend on beside the text: those of another cut are others."""
    return [PORTION, encoding.BATCH, encoding.STRETCH, encoding.OVERLAP]
