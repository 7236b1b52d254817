"""A document: a named text that is never divided between two splits."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from kdlib.data.paragraphs import word_parts


@dataclass(frozen=True)
class Document:
    """A named text that is never divided between two splits.

    Attributes:
        name: the file's path without its suffix, in a folder of texts the path below that folder;
            for a part of a file, with the split's name.
        text: the whole text.
    """

    name: str
    text: str


def fingerprint(document: Document) -> str:
    """Hash of the words, whatever the white space between them.

    Args:
        document: its name does not count.

    Returns:
        64 hexadecimal digits.
    """
    digest, gap = hashlib.sha256(), b""
    for part in word_parts(document.text):
        words = " ".join(part.split()).encode()
        if words:
            digest.update(gap + words)
            gap = b" "
    return digest.hexdigest()


def draw(document: Document, purpose: str) -> float:
    """A number in [0, 1) that depends on the document's words alone, and anew on the purpose.

    Args:
        document: its name does not count.
        purpose: any word.
    """
    digest = hashlib.sha256(f"{purpose} {fingerprint(document)}".encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48  # 48 bits: a float64 holds them exactly


def text_sha256(documents: list[Document]) -> str:
    """SHA-256 of the documents' texts, their order and their borders, as 64 hexadecimal digits.

    Names do not count: a text that was renamed is the same text.

    Args:
        documents: any documents, for example one of the splits.
    """
    # Of the texts' own hashes, which are of one length: joined texts would hide where one ends.
    digests = (hashlib.sha256(document.text.encode()).digest() for document in documents)
    return hashlib.sha256(b"".join(digests)).hexdigest()


def characters(documents: list[Document]) -> int:
    """How many characters the documents hold together.

    Args:
        documents: any documents.
    """
    return sum(len(document.text) for document in documents)
