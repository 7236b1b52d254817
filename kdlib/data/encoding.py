"""Encoding: documents as token ids, in memory of a few bytes a token.

The tokenizer's own results hold the text of every token and its place besides its id, nearly two
hundred bytes for each byte of text. So documents are encoded a few at a time, and a long one in
stretches that overlap. What is encoded together is shared out among the tokenizer's threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from kdlib.data.document import Document
from kdlib.data.paragraphs import Text

BATCH = 2**20  # characters that are encoded at once
STRETCH = 2**17  # of a longer document, characters that are encoded as one
OVERLAP = 2**12  # characters before and after a stretch that its neighbour holds, too

Ids = NDArray[np.int32]


class NoJoint(Exception):
    """Two neighbouring stretches of a text have nowhere the same tokens."""


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
        if len(batch[0].body) > BATCH:
            encoded.append(encode_long(batch[0].body, tokenizer, advance))
            continue
        texts = [document.text for document in batch]
        found = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        encoded += [np.array(each.ids, np.int32) for each in found]
        advance(sum(map(len, texts)))
    return encoded


def _batches(documents: list[Document]) -> Iterator[list[Document]]:
    """Neighbouring documents of not too many characters; a long one is alone."""
    batch: list[Document] = []
    size = 0
    for document in documents:
        length = len(document.body)
        if batch and size + length > BATCH:
            yield batch
            batch, size = [], 0
        batch.append(document)
        size += length
    if batch:
        yield batch


def encode_long(text: Text, tokenizer: Tokenizer, advance: Callable[[int], object]) -> Ids:
    """Token ids of a long text: the same as of the whole, a stretch at a time.

    A tokenizer that looks further than a stretch gets the whole text at once.

    Args:
        text: the text.
        tokenizer: encodes it, without special tokens.
        advance: is told how many characters have been encoded since it was last called.
    """
    told = 0

    def tell(characters: int) -> None:
        nonlocal told
        told += characters
        advance(characters)

    try:
        stretches = range(len(stretch_ends(len(text))))
        return np.concatenate(list(encode_stretches(text, stretches, tokenizer, tell)))
    except NoJoint:
        advance(len(text) - told)
        whole = tokenizer.encode_batch_fast([text[:]], add_special_tokens=False)[0]
        return np.array(whole.ids, np.int32)


def stretch_ends(length: int) -> list[int]:
    """Where the stretches of a long text end, in characters.

    Args:
        length: of the text.
    """
    return [*range(STRETCH, length - OVERLAP, STRETCH), length]


def encode_stretches(
    text: Text, wanted: range, tokenizer: Tokenizer, advance: Callable[[int], object]
) -> Iterator[Ids]:
    """Token ids of some stretches of a long text, as they are in the whole.

    Two neighbouring stretches are joined where both have cut their overlap into the same tokens,
    which tokenizers do because what they look at is a word or a line.

    Args:
        text: the text.
        wanted: numbers of stretches that follow one another.
        tokenizer: encodes them, without special tokens.
        advance: is told how many characters have been encoded since it was last called.

    Yields:
        The tokens of one stretch.

    Raises:
        NoJoint: where a tokenizer looks further.
    """
    ends = stretch_ends(len(text))
    starts = [0, *(end - OVERLAP for end in ends[:-1])]
    # The neighbours on both sides, too: what begins and ends in them must be known.
    read = range(max(0, wanted.start - 1), min(wanted.stop + 1, len(ends)))
    before: Encoding | None = None
    begin = 0  # the first token of the stretch before that counts
    for number, here in _encodings(text, starts, ends, read, tokenizer):
        if before is not None:
            joint = _joint(before, here, starts[number] - starts[number - 1])
            if joint is None:
                raise NoJoint
            if number - 1 >= wanted.start:
                yield np.array(before.ids[begin : joint[0]], np.int32)
                advance(ends[number - 1] - (ends[number - 2] if number > 1 else 0))
            begin = joint[1]
        before = here
    if wanted.stop == len(ends) and before is not None:
        yield np.array(before.ids[begin:], np.int32)
        advance(ends[-1] - (ends[-2] if len(ends) > 1 else 0))


def _encodings(
    text: Text, starts: list[int], ends: list[int], read: range, tokenizer: Tokenizer
) -> Iterator[tuple[int, Encoding]]:
    """The tokens of stretches with what they overlap by, and their numbers; some are encoded at a
    time."""
    together = max(1, BATCH // STRETCH)
    for first in range(read.start, read.stop, together):
        numbers = range(first, min(first + together, read.stop))
        texts = [text[starts[number] : ends[number] + OVERLAP] for number in numbers]
        yield from zip(numbers, tokenizer.encode_batch(texts, add_special_tokens=False))


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
) -> tuple[list[tuple[int, int, int]], int]:
    """The tokens between two places of a stretch, with their places from `begin` on; and the number
    of the first of them."""
    ids = encoding.ids  # which is made anew when it is asked for, as all places at once would be
    at_place = map(encoding.char_to_token, range(first, last))
    number = next((found for found in at_place if found is not None), len(ids))
    while number < len(ids) and _place(encoding, number)[0] < first:
        number += 1
    found = []
    for token in range(number, len(ids)):
        start, end = _place(encoding, token)
        if end > last:
            break
        found.append((ids[token], start - begin, end - begin))
    return found, number


def _place(encoding: Encoding, token: int) -> tuple[int, int]:
    """Begin and end of a token in the text that was encoded."""
    place = encoding.token_to_chars(token)
    assert place is not None, "no token is added to the text's own"
    return place
