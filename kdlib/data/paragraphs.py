"""Where a text can be cut: between paragraphs, lines, sentences or words."""

from __future__ import annotations

import re
from collections.abc import Iterator

PART = 2**18  # characters
_SPACE = re.compile(r"\s")


def word_parts(text: str) -> Iterator[str]:
    """A text in parts that end where a word does: a list of words takes ten times its memory.

    Args:
        text: the text; a part has 2^18 characters, or more up to the next space.
    """
    begin = 0
    while begin + PART < len(text):
        space = _SPACE.search(text, begin + PART)
        end = space.start() if space else len(text)
        yield text[begin:end]
        begin = end
    if begin < len(text) or not text:
        yield text[begin:]


def last_break(text: str, earliest: int, latest: int) -> int:
    """The last place in a range where a paragraph (or else line, or sentence) begins.

    Where none does: the beginning of the text if it is in the range, or else of a word.

    Args:
        text: the text.
        earliest: the range's first place, in characters; may be before the text.
        latest: the place after its last.
    """
    first = max(0, earliest)
    for mark in ("\n\n", "\n", ". "):
        found = text.rfind(mark, first, latest)
        if found >= 0:
            return found + len(mark)
    return 0 if earliest <= 0 else text.rfind(" ", first, latest) + 1 or latest
