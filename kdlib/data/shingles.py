"""Shingles: all runs of eight words of a text, by which texts are compared.

Source: Broder 1997, On the resemblance and containment of documents.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from kdlib.data.paragraphs import Text, word_parts

SHINGLE = 8  # words
_MULTIPLIER = 0x9E3779B97F4A7C15  # odd, so that no word is lost modulo 2^64
# Chinese and Japanese have no spaces between words: each character is one.
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_WORDS = re.compile(_UNSPACED.pattern + r"|[^\s\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")


def shingle_parts(text: Text) -> Iterator[NDArray[np.uint64]]:
    """Hashes of all runs of eight words of a text, of each part of it once and sorted; none of a
    shorter text.

    Args:
        text: the text; white space, capitals and the way in which accents are written do not count.
    """
    hashes = np.empty(0, np.uint64)
    for part in word_parts(text):
        # A run may begin in the part before.
        hashes = np.concatenate([hashes[-(SHINGLE - 1) :], _word_hashes(part)])
        count = len(hashes) - SHINGLE + 1
        if count < 1:
            continue
        runs = np.zeros(count, np.uint64)
        for place in range(SHINGLE):
            runs *= np.uint64(_MULTIPLIER)
            runs += hashes[place : place + count]
        yield once(runs)


def once(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Numbers without repetitions, ascending.

    Args:
        numbers: are sorted in place: of so many different ones that is faster than np.unique.
    """
    numbers.sort()
    kept: NDArray[np.uint64] = numbers[np.append(True, numbers[1:] != numbers[:-1])[: len(numbers)]]
    return kept


def _word_hashes(text: str) -> NDArray[np.uint64]:
    """The hash of each word of a text."""
    text = unicodedata.normalize("NFC", text).casefold()
    words = _WORDS.findall(text) if _UNSPACED.search(text) else text.split()
    # Python's own hash differs from process to process, but is never stored or compared with one
    # of another process; 64 bits do not meet by chance in any text that fits onto a disk.
    return np.fromiter(map(hash, words), np.int64, len(words)).view(np.uint64)
