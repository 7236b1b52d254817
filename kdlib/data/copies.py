r"""Copies: documents that are the same text, and documents that are nearly the same.

A model that has read nearly the words of its test is tested on its memory. How nearly is counted in
*shingles*, all runs of eight words:

.. math:: \mathrm{share} = \frac{|S(\mathrm{test}) \cap S(\mathrm{training})|}{|S(\mathrm{test})|}

Source: Broder 1997, On the resemblance and containment of documents (shingles, containment); Brown
et al. 2020, Language Models are Few-Shot Learners, appendix C (training text that overlaps with a
test is taken out of the training).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kdlib.data.document import Document, fingerprint
from kdlib.data.paragraphs import word_parts

SHINGLE = 8  # words
NEARLY = 0.5  # of the shorter document's shingles
# A held-out document that is shorter than this counts as this long beside a long one: a line that
# many documents quote makes none of them a copy.
SHORT = 64  # shingles
# Of the held-out documents that share a shingle, such as a licence's: enough to find a copy of one
# of them, and few enough that a thousand forms of one letter are compared in seconds.
MOST_HOLDERS = 50
_MULTIPLIER = 0x9E3779B97F4A7C15  # odd, so that no word is lost modulo 2^64
# Chinese and Japanese have no spaces between words: each character is one.
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_WORDS = re.compile(_UNSPACED.pattern + r"|[^\s\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")


class NearCopy(NamedTuple):
    """A training document that is nearly the text of a held-out one.

    Attributes:
        document: name of the training document.
        of: name of the held-out one.
        share: of the shorter one's shingles that both have.
    """

    document: str
    of: str
    share: float


class Overlap(NamedTuple):
    """How much of a test stands in the training, word for word.

    Attributes:
        share: of the test's shingles, those that the training has too; 0 for a test without any.
        worst: name and share of the test documents with the greatest shares above 0, the greatest
            first.
    """

    share: float
    worst: tuple[tuple[str, float], ...]


def without_duplicates(
    documents: Iterable[Document], known: set[str] | None = None
) -> list[Document]:
    """The first of each text; white space does not count.

    Args:
        documents: in their order.
        known: fingerprints of texts that were met before; those of the documents are added.
    """
    met = set() if known is None else known
    kept = []
    for document in documents:
        words = fingerprint(document)
        if words not in met:
            met.add(words)
            kept.append(document)
    return kept


def without_near_copies(
    training: Iterable[Document], held_out: list[Document]
) -> tuple[list[Document], tuple[NearCopy, ...]]:
    """Leave out the training documents that are nearly the text of a held-out one.

    They are so if at least half of the shingles of the shorter one are in the other.

    Args:
        training: the documents to choose from.
        held_out: validation and test.

    Returns:
        The documents that are kept, and the others with what they are copies of.
    """
    index = _Index(held_out)
    kept, copies = [], []
    for document in training:
        nearest = index.nearest(shingles(document.text))
        if nearest is None or nearest[1] < NEARLY:
            kept.append(document)
        else:
            copies.append(NearCopy(document.name, *nearest))
    return kept, tuple(copies)


def overlap(training: Iterable[Document], test: list[Document], worst: int = 3) -> Overlap:
    """How much of a test stands in the training, word for word.

    Args:
        training: what is learned from.
        test: what is measured on.
        worst: how many documents to name.
    """
    index = _Index(test)
    met = np.zeros(len(index.known), bool)
    for document in training:
        met[index.places(shingles(document.text))] = True
    # Of every document its own: a sentence that all have counts in each.
    found = np.bincount(index.holders[met[index.number]], minlength=len(test))
    shares = found / np.maximum(index.sizes, 1)
    order = [number for number in np.argsort(-shares, kind="stable")[:worst] if found[number]]
    return Overlap(
        float(found.sum() / max(index.sizes.sum(), 1)),
        tuple((test[number].name, float(shares[number])) for number in order),
    )


def shingles(text: str) -> NDArray[np.uint64]:
    """Hashes of all runs of eight words of a text, each once, sorted; none of a shorter text.

    Args:
        text: the text; white space, capitals and the way in which accents are written do not count.
    """
    hashes = np.concatenate([_word_hashes(part) for part in word_parts(text)])
    count = len(hashes) - SHINGLE + 1
    if count < 1:
        return np.empty(0, np.uint64)
    runs = np.zeros(count, np.uint64)
    for place in range(SHINGLE):
        runs *= np.uint64(_MULTIPLIER)
        runs += hashes[place : place + count]
    runs.sort()  # in place and, of so many different numbers, faster than np.unique
    once: NDArray[np.uint64] = runs[np.append(True, runs[1:] != runs[:-1])]
    return once


def _word_hashes(text: str) -> NDArray[np.uint64]:
    """The hash of each word of a text."""
    text = unicodedata.normalize("NFC", text).casefold()
    words = _WORDS.findall(text) if _UNSPACED.search(text) else text.split()
    # Python's own hash differs from process to process, but is never stored or compared with one
    # of another process; 64 bits do not meet by chance in any text that fits into memory.
    return np.fromiter(map(hash, words), np.int64, len(words)).view(np.uint64)


class _Index:
    """Which of some documents have which shingles."""

    def __init__(self, documents: list[Document]):
        parts = [shingles(document.text) for document in documents]
        self.documents = documents
        self.sizes = np.array([len(part) for part in parts], np.int64)
        joined = np.concatenate(parts) if parts else np.empty(0, np.uint64)
        # A stable sort, so that the holders of each shingle are in the documents' order.
        order = np.argsort(joined, kind="stable")
        self.holders = np.repeat(np.arange(len(parts)), self.sizes)[order]
        self.known, self.first, self.number, self.counts = np.unique(
            joined[order], return_index=True, return_inverse=True, return_counts=True
        )

    def places(self, wanted: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Where the wanted shingles stand among the known ones; the unknown are left out."""
        if not len(self.known):
            return np.empty(0, np.int64)
        places = np.minimum(np.searchsorted(self.known, wanted), len(self.known) - 1)
        found: NDArray[np.int64] = places[self.known[places] == wanted]
        return found

    def nearest(self, wanted: NDArray[np.uint64]) -> tuple[str, float] | None:
        """Name of the document that shares most with these shingles, and of the smaller set the
        share that both have."""
        places = self.places(wanted)
        if not len(places):
            return None
        counts = np.minimum(self.counts[places], MOST_HOLDERS)
        ends = np.cumsum(counts)
        inside = np.arange(ends[-1]) - np.repeat(ends - counts, counts)
        holders = self.holders[np.repeat(self.first[places], counts) + inside]
        common = np.bincount(holders, minlength=len(self.documents))
        shares = common / np.minimum(np.maximum(self.sizes, SHORT), len(wanted))
        best = int(shares.argmax())
        return self.documents[best].name, float(shares[best])
