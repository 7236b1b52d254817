"""Encoding: documents as token ids, in memory of a few bytes a token.

The tokenizer's own results hold the text of every token and its place besides its id, nearly two
hundred bytes for each byte of text. So documents are encoded a few at a time, and a long one in
stretches that overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from kdlib.data.document import Document

BATCH = 2**20  # characters that are encoded at once
STRETCH = 2**18  # of a longer document, characters that are encoded as one
OVERLAP = 2**12  # characters that both of two neighbouring stretches hold

Ids = NDArray[np.int32]


def encode_documents(
    documents: list[Document], tokenizer: Tokenizer, advance: Callable[[int], object]
) -> list[Ids]:
    """Token ids of each document, without special tokens that the tokenizer would add.

    Args:
        documents: the texts.
        tokenizer: encodes them.
        advance: is told how many characters have been encoded since it was last called.

    Returns:
        One array of int32 for each document.
    """
    encoded: list[Ids] = []
    for batch in _batches(documents):
        if len(batch[0].text) > BATCH:
            encoded.append(encode_long(batch[0].text, tokenizer, advance))
            continue
        found = tokenizer.encode_batch_fast([d.text for d in batch], add_special_tokens=False)
        encoded += [np.array(each.ids, np.int32) for each in found]
        advance(sum(len(document.text) for document in batch))
    return encoded


def _batches(documents: list[Document]) -> Iterator[list[Document]]:
    """Neighbouring documents of not too many characters; a long one is alone."""
    batch: list[Document] = []
    size = 0
    for document in documents:
        if batch and size + len(document.text) > BATCH:
            yield batch
            batch, size = [], 0
        batch.append(document)
        size += len(document.text)
    if batch:
        yield batch


def encode_long(text: str, tokenizer: Tokenizer, advance: Callable[[int], object]) -> Ids:
    """Token ids of a long text: the same as of the whole, a stretch at a time.

    Two neighbouring stretches are joined where both have cut their overlap into the same tokens,
    which tokenizers do because what they look at is a word or a line. One that looks further gets
    the whole text at once.

    Args:
        text: the text.
        tokenizer: encodes it, without special tokens.
        advance: is told how many characters have been encoded since it was last called.
    """
    parts: list[Ids] = []
    cuts = [*range(STRETCH, len(text) - OVERLAP, STRETCH), len(text)]
    before: Encoding | None = None
    base = begin = 0  # where the stretch before begins in the text, and its first token that counts
    for cut in cuts:
        start = max(0, cut - STRETCH - OVERLAP) if before is not None else 0
        here = tokenizer.encode(text[start : cut + OVERLAP], add_special_tokens=False)
        if before is not None:
            joint = _joint(before, here, start - base)
            if joint is None:
                advance(len(text) - (len(parts) + 1) * STRETCH)
                whole = tokenizer.encode_batch_fast([text], add_special_tokens=False)[0]
                return np.array(whole.ids, np.int32)
            parts.append(np.array(before.ids[begin : joint[0]], np.int32))
            begin = joint[1]
        before, base = here, start
        advance(min(STRETCH, len(text)) if cut < len(text) else len(text) - len(parts) * STRETCH)
    assert before is not None
    parts.append(np.array(before.ids[begin:], np.int32))
    return np.concatenate(parts)


def _joint(left: Encoding, right: Encoding, shift: int) -> tuple[int, int] | None:
    """The tokens of two stretches, in the middle of their overlap, from which on both are alike.

    Args:
        left: a stretch of the text.
        right: the next one, which begins `shift` characters after it.
        shift: in characters.
    """
    tokens = [
        _tokens(encoding, begin + OVERLAP // 2, begin + 3 * OVERLAP // 2, begin)
        for encoding, begin in ((left, shift), (right, 0))
    ]
    (one, first), (other, second) = tokens
    if not one or one != other:
        return None
    return first + len(one) // 2, second + len(one) // 2


def _tokens(
    encoding: Encoding, first: int, last: int, begin: int
) -> tuple[list[tuple[int, ...]], int]:
    """The tokens between two places of a stretch, with their places from `begin` on; and the number
    of the first of them."""
    ids, offsets = encoding.ids, np.array(encoding.offsets)  # each is made anew when asked for
    inside = np.flatnonzero((offsets[:, 0] >= first) & (offsets[:, 1] <= last))
    if not len(inside):
        return [], 0
    found = slice(int(inside[0]), int(inside[-1]) + 1)
    places = (offsets[found] - begin).tolist()
    return [(id, *place) for id, place in zip(ids[found], places, strict=True)], found.start
