"""A text that stays on the disk: of which any part can be read, and no more than it is in memory.

A string of a gigabyte of text takes up to four, as every character has the width of the widest. So
the documents of a large source are read again whenever they are needed. Characters of UTF-8 have
different lengths; where in the file every so many of them begin is noted when it is first read.
"""

from __future__ import annotations

import codecs
import os
from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from pathlib import Path

from kdlib.data.document import Document
from kdlib.data.formats import large_text_format
from kdlib.data.text_files import (
    empty,
    is_regular,
    not_utf8,
    readable,
    refuse_nul,
    refuse_other_bytes,
    refuse_other_format,
)
from kdlib.errors import UserError

# Bytes of all files of a source, and characters of a text that is to be tokenised: three times the
# embedded text. A text as large takes some 300 MB in memory while it is cut into blocks.
LARGE = 2**25
STEP = 2**16  # bytes between two marks
BEGINNING = 2**21  # bytes by which the format of a large file is told
END = 2**14  # and as many of its last


@dataclass(frozen=True, slots=True)
class TextFile:
    """A UTF-8 file, as it was when it was opened.

    Attributes:
        path: where it is.
        version: its size in bytes and the time of its last change.
        characters: (M,) numbers of some characters, ascending, from 0 to the length of the text.
        places: (M,) where in the file each of them begins, in bytes.
    """

    path: str
    version: tuple[int, int]
    characters: array[int]
    places: array[int]

    def read(self, begin: int, end: int) -> str:
        """The characters between two places.

        Args:
            begin: the first.
            end: the place after the last, not behind the text.

        Raises:
            UserError: for a file that cannot be read any more, or has changed.
        """
        if begin >= end:
            return ""
        first = bisect_right(self.characters, begin) - 1
        last = bisect_left(self.characters, end)
        data = readable(Path(self.path), lambda: self._bytes(self.places[first], self.places[last]))
        start = self.characters[first]
        return data.decode()[begin - start : end - start]

    def _bytes(self, first: int, last: int) -> bytes:
        with open(self.path, "rb") as file:
            if _version(file.fileno()) != self.version:
                raise UserError(
                    f"text: {self.path} has changed since it was first read; start again, and leave"
                    " it as it is until the end"
                )
            file.seek(first)
            return file.read(last - first)


@dataclass(frozen=True, slots=True)
class StoredText:
    """A stretch of a file, which is read as a string is: ``len(text)``, ``text[begin:end]``.

    Attributes:
        file: the file.
        begin: the stretch's first character.
        end: the place after its last.
    """

    file: TextFile
    begin: int
    end: int

    def __len__(self) -> int:
        return self.end - self.begin

    def __getitem__(self, part: slice, /) -> str:
        stretch = self.stretch(part)
        return self.file.read(stretch.begin, stretch.end)

    def stretch(self, part: slice) -> StoredText:
        """A part of it, which is not read yet.

        Args:
            part: without a step.
        """
        first, last, step = part.indices(len(self))
        assert step == 1, "characters that follow one another"
        return StoredText(self.file, self.begin + first, self.begin + max(first, last))


class StoredDocument(Document):
    """A document whose text stays on the disk.

    Args:
        name: as of any document.
        text: where it is.
    """

    _stored: StoredText

    def __init__(self, name: str, text: StoredText):
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "_stored", text)

    def __repr__(self) -> str:
        return f"StoredDocument({self.name!r}, {len(self.body):,} characters)"

    @property
    def body(self) -> StoredText:
        """The text, to be read in parts."""
        return self._stored

    @property
    def text(self) -> str:
        """The whole text, read anew each time."""
        return self.body[:]

    def cut(self, begin: int, end: int, name: str = "") -> Document:
        """A part of the document, which stays on the disk, too."""
        part = self.body.stretch(slice(begin, end))
        if part == self.body and not name:
            return self
        return StoredDocument(name or self.name, part)


def open_stored(path: Path, name: str) -> StoredDocument:
    """Read a file from end to end, a part at a time, and leave it on the disk.

    Args:
        path: the file.
        name: of the document.

    Raises:
        UserError: as `kdlib.data.text_files.read_text_file`.
        EmptyFileError: for one that holds white space at most.
    """
    file = readable(path, lambda: _open(path))
    return StoredDocument(name, StoredText(file, 0, file.characters[-1]))


def _open(path: Path) -> TextFile:
    is_regular(path)
    with open(path, "rb") as file:
        version, beginning = _version(file.fileno()), file.read(BEGINNING)
        refuse_other_bytes(path, beginning)
        mark = len(codecs.BOM_UTF8) if beginning.startswith(codecs.BOM_UTF8) else 0
        characters, places = array("q", [0]), array("q", [mark])
        decoder, blank = codecs.getincrementaldecoder("utf-8")(), True
        file.seek(mark)
        while data := file.read(STEP):
            text = _decoded(path, decoder, data, file.tell() - len(data) - mark)
            refuse_nul(path, text)
            blank = blank and not text.strip()
            characters.append(characters[-1] + len(text))
            places.append(file.tell() - len(decoder.getstate()[0]))
        _decoded(path, decoder, b"", file.tell() - mark, final=True)
        if blank:
            raise empty(path)
        file.seek(max(mark, file.tell() - END))
        end = file.read()
    start, tail = beginning[mark:].decode(errors="ignore"), end.decode(errors="ignore")
    refuse_other_format(path, large_text_format(start, tail, path.suffix))
    return TextFile(str(path), version, characters, places)


def _decoded(
    path: Path,
    decoder: codecs.IncrementalDecoder,
    data: bytes,
    place: int,
    *,
    final: bool = False,
) -> str:
    """The characters that end in the next bytes of a file, which begin at a place."""
    kept = len(decoder.getstate()[0])  # bytes of a character that began before
    try:
        return decoder.decode(data, final)
    except UnicodeDecodeError as error:
        raise not_utf8(path, place - kept + error.start) from error


def _version(descriptor: int) -> tuple[int, int]:
    """What a file cannot keep when it is written anew: its size and the time of its last change."""
    status = os.fstat(descriptor)
    return status.st_size, status.st_mtime_ns
