"""Where a text can be cut: between paragraphs, lines, sentences or words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol

PART = 2**18  # characters
LOOK = 2**12  # characters that are looked at together for the next space
_SPACE = re.compile(r"\s")


class Text(Protocol):
    """What can be read in parts: a string, or a text that stays on the disk."""

    def __len__(self) -> int:
        """How many characters it has."""

    def __getitem__(self, part: slice, /) -> str:
        """The characters of a part, without a step."""


def word_parts(text: Text) -> Iterator[str]:
    """A text in parts that end where a word does: a list of words takes ten times its memory.

    Args:
        text: the text; a part has 2^18 characters, or more up to the next space.
    """
    begin = 0
    while begin + PART < len(text):
        end = _next_space(text, begin + PART)
        yield text[begin:end]
        begin = end
    if begin < len(text) or not len(text):
        yield text[begin:]


def _next_space(text: Text, begin: int) -> int:
    """The first place from one on where a space is; the end of the text if there is none."""
    for place in range(begin, len(text), LOOK):
        space = _SPACE.search(text[place : place + LOOK])
        if space:
            return place + space.start()
    return len(text)


def last_break(text: Text, earliest: int, latest: int) -> int:
    """The last place in a range where a paragraph (or else line, or sentence) begins.

    Where none does: the beginning of the text if it is in the range, or else of a word.

    Args:
        text: the text.
        earliest: the range's first place, in characters; may be before the text.
        latest: the place after its last.
    """
    first = max(0, earliest)
    for mark in ("\n\n", "\n", ". "):
        found = _last(text, mark, first, latest)
        if found >= 0:
            return found + len(mark)
    return 0 if earliest <= 0 else _last(text, " ", first, latest) + 1 or latest


def _last(text: Text, mark: str, first: int, last: int) -> int:
    """The last place between two where a mark stands whole, -1 if there is none. It is looked for
    from the end, a part at a time: a text on the disk is not read for a mark that is near."""
    end = min(last, len(text))
    while end - first >= len(mark):
        begin = max(first, end - PART)
        found = text[begin:end].rfind(mark)
        if found >= 0:
            return begin + found
        if begin == first:
            break
        end = begin + len(mark) - 1  # a mark may lie across the border of two parts
    return -1
