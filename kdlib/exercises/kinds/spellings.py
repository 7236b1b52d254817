"""How readers write one and the same thing: with quotes, capitals, a full stop, in a list."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable
from typing import Any

import numpy as np

LETTERS = "abcdefgh"
AROUND = "`'\"“”‘’„«»$"  # what may stand around an answer and means nothing
NUMBER_WORDS = {"zero": "0", "one": "1", "two": "2", "three": "3", "four": "4"}
EMPTY_WORDS = ("the", "a", "an", "divergence")
LETTER = re.compile(r"(?:option|answer|choice|letter|step|item)?\s*[(\[]*([a-z])[)\].:,;]*", re.I)
LETTER_AND_TEXT = re.compile(r"[(\[]*([a-z])(?:[)\].:,]+|\s*[-–:]\s)\s*(\S.*)", re.I | re.S)
ANOTHER_LETTER = re.compile(r"(?:and|or|&|/|\+)\s*[(\[]*[a-z][)\].:,;]*\s*", re.I)


def bare(text: str) -> str:
    """The text without what is only around it: space, quotes, backquotes, dollars, a full stop."""
    before, text = None, str.__str__(text)
    while text != before:
        before, text = text, text.strip().strip(AROUND).removesuffix(".")
    return text


def words(text: str) -> str:
    """Equal for texts that differ by capitals, space and what is around them."""
    return re.sub(r"\s+", "", bare(text)).casefold()


def term(text: str) -> str:
    """As `words`, for a term: hyphens, articles and number words make no difference either."""
    text = re.sub(r"[‖∥]|\|\s*\|", "||", bare(text).casefold())
    parts = re.sub(r"(?<=\w)[-–_](?=\w)", " ", text).split()
    kept = [NUMBER_WORDS.get(part, part) for part in parts if part not in EMPTY_WORDS]
    return "".join(kept)


def several(answer: Any) -> list[Any] | None:
    """The items of a list, a tuple or an array; None for anything else."""
    if isinstance(answer, np.ndarray):
        return list(answer.ravel().tolist())
    return list(answer) if isinstance(answer, (list, tuple)) else None


def alone(answer: Any) -> Any:
    """The one item of a collection of one, as often as that helps; anything else as it is."""
    for _ in range(3):
        items = list(answer) if isinstance(answer, (set, frozenset)) else several(answer)
        if items is None or len(items) != 1:
            return answer
        answer = items[0]
    return answer


def lettered(prompt: str, texts: Iterable[str]) -> str:
    """A prompt, and below it the texts with the letters that an answer names them by."""
    lines = [f"- ({letter}) {text}" for letter, text in zip(LETTERS, texts)]
    return f"{prompt}\n\n" + "\n".join(lines)


def letter_of(answer: Any, texts: Iterable[str]) -> str | None:
    """The letter of one of the lettered texts: from "c", "(C)", "c: the text" or the text itself.

    None for what is none of them, or more than one.
    """
    answer = alone(answer)
    if not isinstance(answer, str):
        return None
    known = dict(zip(map(words, texts), LETTERS))
    if words(answer) in known:
        return known[words(answer)]
    if (found := LETTER.fullmatch(bare(answer))) is not None:
        return _among(found[1], known)
    if (found := LETTER_AND_TEXT.fullmatch(bare(answer))) is None:
        return None
    letter, rest = _among(found[1], known), found[2]
    others = set(known.values()) - {letter}
    means_another = LETTER.fullmatch(bare(rest)) or ANOTHER_LETTER.fullmatch(rest)
    return None if means_another or known.get(words(rest)) in others else letter


def letters_of(answer: Any, texts: Iterable[str]) -> str:
    """The letters of an order of the lettered texts, one after the other; "?" for one unread.

    From "cab", "c, a, b", "c > a > b", "c then a and b", or a list of what `letter_of` reads.
    """
    answer, texts = alone(answer), tuple(texts)
    if isinstance(answer, str):
        parts = "".join(c if c.isalpha() else " " for c in answer.lower()).split()
        return "".join(part for part in parts if part not in ("and", "then"))
    return "".join(letter_of(part, texts) or "?" for part in several(answer) or ())


def _among(letter: str, known: dict[str, str]) -> str | None:
    return letter.lower() if letter.lower() in known.values() else None


def shown(answer: Any) -> str:
    """The answer as it is quoted in a message: its beginning is enough."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = 60
    return short.repr(answer)
