r"""Copies: documents that are the same text, and documents that are nearly the same.

A model that has read nearly the words of its test is tested on its memory. How nearly is counted in
*shingles*, all runs of eight words:

.. math:: \mathrm{share} = \frac{|S(\mathrm{test}) \cap S(\mathrm{training})|}{|S(\mathrm{test})|}

Source: Broder 1997, On the resemblance and containment of documents (shingles, containment); Brown
et al. 2020, Language Models are Few-Shot Learners, appendix C (training text that overlaps with a
test is taken out of the training).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from kdlib.data.document import Document, fingerprint
from kdlib.data.shingle_index import ShingleIndex
from kdlib.data.shingles import shingle_parts

NEARLY = 0.5  # of the shorter document's shingles


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
    index = ShingleIndex(held_out)
    kept, copies = [], []
    for document in training:
        nearest = index.nearest(shingle_parts(document.body))
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
    index = ShingleIndex(test)
    met = np.zeros(len(index.known), bool)
    for document in training:
        for part in shingle_parts(document.body):
            met[index.places(part)] = True
    # Of every document its own: a sentence that all have counts in each.
    found = index.held(met)
    shares = found / np.maximum(index.sizes, 1)
    order = [number for number in np.argsort(-shares, kind="stable")[:worst] if found[number]]
    return Overlap(
        float(found.sum() / max(index.sizes.sum(), 1)),
        tuple((test[number].name, float(shares[number])) for number in order),
    )
