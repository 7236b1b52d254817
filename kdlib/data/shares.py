"""Shares of a text: so many of its characters, and not always its first."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

from kdlib.data.document import Document, characters, draw
from kdlib.data.paragraphs import Text, last_break

# Of so few documents, the beginning of one would be most of what is taken.
FEW_DOCUMENTS = 5
PIECES = 100  # of each of them
SCRAP = 200  # characters: of less than that no model learns what a text is about
GOLDEN = (math.sqrt(5) - 1) / 2


def take_fraction(documents: list[Document], fraction: float) -> list[Document]:
    """A fixed choice of text that holds ``fraction`` of all characters.

    It is a random choice of documents. Fewer than five documents are first cut into a hundred
    pieces each, at paragraph breaks, so that the share of a single file comes from all over it and
    not from its beginning. The last one chosen is cut short, so that the share is met to the
    character. The text of a smaller fraction is contained in that of a larger one.

    Args:
        documents: the documents to choose from.
        fraction: share of their characters, in (0, 1].

    Returns:
        The chosen documents, in random order, or pieces, in the order of the text; for a fraction
        of 1, all documents in their own order.
    """
    if fraction == 1:
        return documents
    wanted = int(fraction * characters(documents))
    if len(documents) < FEW_DOCUMENTS:
        return _spread_pieces(documents, wanted)
    chosen = []
    for document in random.Random(1).sample(documents, len(documents)):
        if wanted <= 0:
            break
        chosen.append(document.cut(0, wanted))
        wanted -= len(document.body)
    return chosen


def _spread_pieces(documents: list[Document], wanted: int) -> list[Document]:
    """As many characters, from all over the documents; pieces that touch are one."""
    pieces = [
        (number, begin, end)
        for number, document in enumerate(documents)
        for begin, end in _pieces(document.body)
    ]
    # Multiples of the golden ratio fill the unit interval evenly however many are taken, so the
    # pieces with the smallest ones lie evenly over the text.
    order = sorted(range(len(pieces)), key=lambda place: (place + 1) * GOLDEN % 1)
    chosen = []
    for place in order:
        if wanted <= 0:
            break
        number, begin, end = pieces[place]
        chosen.append((number, begin, min(end, begin + wanted)))
        wanted -= end - begin
    return [documents[number].cut(begin, end) for number, begin, end in _joined(sorted(chosen))]


def _pieces(text: Text) -> Iterator[tuple[int, int]]:
    """Begin and end of pieces of about a hundredth of a text, which end where paragraphs do."""
    begin, length = 0, max(1, len(text) // PIECES)
    while begin < len(text):
        end = len(text)
        if begin + 2 * length < end:
            end = max(begin + 1, last_break(text, begin + length // 2, begin + length))
        yield begin, end
        begin = end


def _joined(pieces: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Pieces in order, those that touch made one."""
    joined: list[tuple[int, int, int]] = []
    for number, begin, end in pieces:
        if joined and joined[-1][0] == number and joined[-1][2] == begin:
            joined[-1] = (number, joined[-1][1], end)
        else:
            joined.append((number, begin, end))
    return joined


def take_pieces(documents: list[Document], fraction: float) -> list[Document]:
    """One contiguous piece of every document, all of one length, that hold ``fraction`` of the text.

    Whole documents differ in length, so a choice of them may be mostly one of them; here each has
    the same say. A document shorter than the pieces is taken whole. A piece begins where a paragraph
    (or else a line, or a sentence) does, not always at the opening, because openings are alike: the
    place is drawn from the document's contents. The pieces of a smaller fraction need not lie
    within those of a larger one.

    Where documents are so many or so short that pieces of all would be scraps of a few words, some
    documents are drawn, and pieces that are no scraps are taken of these.

    Args:
        documents: the documents to take from.
        fraction: share of their characters, in (0, 1]; met to within a character per document, or
            to within a piece where documents are drawn.

    Returns:
        The pieces, named as their documents and in their order; for a fraction of 1, the documents.
    """
    length = _piece_length([len(document.body) for document in documents], fraction)
    if length < SCRAP and fraction < 1:
        documents, length = _drawn(documents, fraction), SCRAP
    return [_piece(document, length) for document in documents]


def _drawn(documents: list[Document], fraction: float) -> list[Document]:
    """As many documents as hold the share in pieces that are no scraps, in their order."""
    wanted, chosen = fraction * characters(documents), set()
    for place in sorted(range(len(documents)), key=lambda at: draw(documents[at], "drawn")):
        if wanted <= 0:
            break
        chosen.add(place)
        wanted -= min(len(documents[place].body), SCRAP)
    return [documents[place] for place in sorted(chosen)]


def _piece_length(lengths: list[int], fraction: float) -> int:
    """The length at which pieces, or whole documents where they are shorter, make up the share."""
    wanted = int(fraction * sum(lengths))
    for number, shortest in enumerate(sorted(lengths)):
        equal_share = wanted // (len(lengths) - number)
        if equal_share < shortest:
            return equal_share
        wanted -= shortest
    return max(lengths, default=0)


def _piece(document: Document, length: int) -> Document:
    text = document.body
    room = max(0, len(text) - length)
    place = int(draw(document, "piece") * (room + 1))
    start = last_break(text, place - length, place)
    return document.cut(start, start + length)
