"""A document: a named text that is never divided between two splits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from kdlib.data.paragraphs import PART, Text, word_parts


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

    @property
    def body(self) -> Text:
        """The text, to be read in parts: that of a large document stays on the disk."""
        return self.text

    def cut(self, begin: int, end: int, name: str = "") -> Document:
        """A part of the document, as a document.

        Args:
            begin: its first character's place.
            end: the place after its last; may be behind the text.
            name: its own; empty for that of the whole.
        """
        return Document(name or self.name, self.text[begin:end])

    # Both hashes are asked for again and again, and a large text takes a while.
    @cached_property
    def _words_sha256(self) -> str:
        digest, gap = hashlib.sha256(), b""
        for part in word_parts(self.body):
            words = " ".join(part.split()).encode()
            if words:
                digest.update(gap + words)
                gap = b" "
        return digest.hexdigest()

    @cached_property
    def _sha256(self) -> bytes:
        digest = hashlib.sha256()
        for part in parts(self):
            digest.update(part.encode())
        return digest.digest()


def parts(document: Document) -> Iterator[str]:
    """The text of a document, in parts of 2^18 characters.

    Args:
        document: of any length.
    """
    text = document.body
    return (text[begin : begin + PART] for begin in range(0, len(text), PART))


def fingerprint(document: Document) -> str:
    """Hash of the words, whatever the white space between them.

    Args:
        document: its name does not count.

    Returns:
        64 hexadecimal digits.
    """
    return document._words_sha256


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
    return hashlib.sha256(b"".join(document._sha256 for document in documents)).hexdigest()


def characters(documents: list[Document]) -> int:
    """How many characters the documents hold together.

    Args:
        documents: any documents.
    """
    return sum(len(document.body) for document in documents)


def utf8_bytes(documents: list[Document]) -> int:
    """How many bytes the documents take as UTF-8.

    Args:
        documents: any documents.
    """
    return sum(len(part.encode()) for document in documents for part in parts(document))
