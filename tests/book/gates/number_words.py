"""Small numbers and number words that claim something about a result: "seven of ten", "twice".

A whole number below 100, in digits or in words, is a claim only where the text says so. It stands

- with a unit: "ten nats", "5 per cent", "three seconds", "two orders of magnitude";
- behind a word that compares: "at least seven", "about 20", "more than a hundred", "up to five";
- as a part of a whole: "8 of 10", "three in ten", "a third of", "half the", "two thirds";
- as a ratio: "twice as", "three times", "half as many again", "a factor of nine", "tenfold", "doubles".

Elsewhere it counts what the text enumerates ("two students"), orders it ("the third row") or says
what is the case by construction; "one" is mostly no number at all.

It is supported by an output or by code, where `claims` looks for a decimal number: a whole number as
it stands there, a part of a whole to two digits (0.33 or 33 % is "a third") or by its two numbers.
Words for a ratio may rest on two numbers of their own paragraph, which readers then can compare.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from itertools import permutations
from typing import NamedTuple

from gates import claims
from gates.chapter import Chapter
from gates.claims import Number

HELD = range(0, 14)  # the chapters that are held to it

SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen"
).split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
POWERS = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
PARTS = {
    "half": 2, "halve": 2, "third": 3, "quarter": 4, "fifth": 5, "sixth": 6, "seventh": 7,
    "eighth": 8, "ninth": 9, "tenth": 10, "twentieth": 20, "hundredth": 100, "thousandth": 1000,
}  # fmt: skip
VALUES = {word: value for value, word in enumerate(SMALL)}
VALUES |= {word: 10 * value for value, word in enumerate(TENS, start=2)}

_WORD = "|".join(sorted(VALUES, key=len, reverse=True))
_DIGITS = r"(?<![\w.,^{/$*-])\d{1,2}(?![\w^}*/]|[.,:]\d|\ ?\\?%)"
_POWERS = f"(?:[ ](?:{'|'.join(POWERS)}))+"
_NUMBER = rf"(?:{_DIGITS}|\b(?:(?:an?|{_WORD}){_POWERS}|(?:{_WORD})(?:-(?:{_WORD}))?)\b)"
_UNIT = (
    r"(?:per[ ]cent|percentage[ ]points?|nats?|bits?|seconds|milliseconds|megabytes?|gigabytes?"
    r"|kilobytes?|MB|GB|draws?|orders?[ ]of[ ]magnitude)\b"
)
_COMPARED = (
    r"\b(?:more[ ]than|less[ ]than|fewer[ ]than|at[ ]least|at[ ]most|about|nearly|almost|roughly"
    r"|up[ ]to|barely|only)[ ]"
)
_PART = "|".join(sorted((part for part in PARTS if "hal" not in part), key=len, reverse=True))
_OF_A_WHOLE = r"(?=[ ](?:of|as|again|more|less|the|its|their|fewer|longer|larger|smaller|lower)\b)"
# What is set as mathematics or code has numbers of its own; bold and italics are signs for the eye.
NOT_PROSE = re.compile(
    r"\$\$.*?\$\$|\$[^$]*\$|`[^`]*`|^\*\*Time\*\*.*?(?:\n\n|\Z)|\*", re.DOTALL | re.MULTILINE
)
CLAIM = re.compile(
    rf"""
      (?P<again>\bhalf[ ](?:as[ ](?:many|much|large|big|long|high|far)[ ])?again\b)
    | (?P<double>\btwice(?=[ ](?:as|the|its|their|that|what)\b)|\bdoubl(?:es|ed|ing)\b
        |\bhalv(?:es|ed|ing)(?=[ ](?:the|its|it|their)\b)
        |(?<!first[ ])(?<!second[ ])(?<!other[ ])\bhalf{_OF_A_WHOLE})
    | (?P<fraction>\b(?:an?|one)[ ](?:{_PART})\b{_OF_A_WHOLE}|\b(?:{_WORD})[ ](?:{_PART})s\b)
    | (?P<of>{_NUMBER}[ ](?:times[ ])?(?:of|in|out[ ]of)[ ]{_NUMBER})
    | (?P<times>{_NUMBER}[ ]times\b|\bfactor[ ]of[ ]{_NUMBER}|\b(?:{_WORD})fold\b)
    | (?P<unit>(?!one[ -]draw){_NUMBER}[ -](?={_UNIT}))
    | (?P<compared>{_COMPARED}{_NUMBER})
    | (?P<round>\ban?{_POWERS}\b)
    """,
    re.VERBOSE | re.IGNORECASE,
)


class Said(NamedTuple):
    """A claim in words.

    Attributes:
        text: as it stands.
        values: any one of them, in an output or in code, is support.
        both: so are these numbers together.
        ratio: so are two numbers of the same paragraph, if this is how they compare.
        is_result: whether neither code nor a whole number is: a 2 stands in nearly every cell.
    """

    text: str
    values: tuple[Number, ...]
    both: tuple[Number, ...] = ()
    ratio: float | None = None
    is_result: bool = False


def faults(chapter: Chapter) -> list[str]:
    if chapter.number not in HELD:
        return []
    return [
        f"no output and no code near by holds {said.text!r}: {paragraph}"
        for section, near in claims.with_neighbours(chapter.sections)
        for cell in section
        if cell.cell_type == "markdown"
        for paragraph in paragraphs(cell.source)
        for said in spoken(paragraph)
        if not supported(said, paragraph, *near)
    ]


def paragraphs(text: str) -> list[str]:
    """Each on one line, and each item of a list for itself; formulas and what is no claim are gone."""
    text = NOT_PROSE.sub(" ", claims.NO_CLAIM.sub(" ", text))
    parts = re.split(r"\n\s*\n|\n(?=[-*|] )", text)
    return [" ".join(part.split()) for part in parts]


def spoken(paragraph: str) -> Iterator[Said]:
    """What a paragraph claims in words and in small numbers."""
    for match in CLAIM.finditer(paragraph):
        said = _said(match)
        if said is not None:
            yield said


def supported(said: Said, paragraph: str, computed: list[Number], given: list[Number]) -> bool:
    if said.is_result:
        computed, given = [n for n in computed if n.percent or "." in n.text], []
    is_held = lambda number: claims.supported(number, computed, given)
    return (
        any(map(is_held, said.values))
        or (bool(said.both) and all(map(is_held, said.both)))
        or (said.ratio is not None and _compares(said.ratio, paragraph))
    )


def _compares(ratio: float, paragraph: str) -> bool:
    """Whether two numbers of the paragraph compare like that, to a tenth of it."""
    found = [float(number.value) for number in claims.numbers(paragraph)]
    return any(
        low > 0 and abs(high / low - ratio) <= 0.1 * ratio for high, low in permutations(found, 2)
    )


def _said(match: re.Match) -> Said | None:
    return _READERS[match.lastgroup](match[0].strip(" -"))


def _again(text: str) -> Said:
    return Said(text, (_number("1.5"), _percent(50)), ratio=1.5, is_result=True)


def _double(text: str) -> Said:
    return Said(text, (_number("2.0"), _number("0.50"), _percent(50)), ratio=2, is_result=True)


def _fraction(text: str) -> Said:
    first, part = text.lower().split()
    share = Fraction(1 if first in ("a", "an") else value(first), PARTS[part.rstrip("s")])
    return Said(text, _shares(share), ratio=float(1 / share))


def _of(text: str) -> Said | None:
    few, many = map(value, re.split(r" (?:times )?(?:out of|of|in) ", text))
    if few > many or (few == 1 and " in " not in text):  # "one of two" counts what is there
        return None
    return Said(text, _shares(Fraction(few, many)), both=(_number(str(few)), _number(str(many))))


def _times(text: str) -> Said | None:
    number = value(re.sub(r" times$|fold$|^factor of ", "", text, flags=re.IGNORECASE))
    return Said(text, (_number(str(number)),), ratio=number) if number > 1 else None


def _unit(text: str) -> Said:
    return Said(text, (_number(str(value(text))),))


def _compared(text: str) -> Said | None:
    number = value(re.sub(f"^{_COMPARED}", "", text, flags=re.IGNORECASE))
    return Said(text, (_number(str(number)),)) if number > 1 else None


_READERS = {
    "again": _again,
    "double": _double,
    "fraction": _fraction,
    "of": _of,
    "times": _times,
    "unit": _unit,
    "compared": _compared,
    "round": _unit,
}


def _shares(share: Fraction) -> tuple[Number, ...]:
    """A part of a whole to two digits."""
    part = Decimal(share.numerator) / Decimal(share.denominator)
    return Number(f"{part:.2f}", round(part, 2), False), _percent(round(100 * part))


def _number(text: str) -> Number:
    return Number(text, Decimal(text), False)


def _percent(number: int) -> Number:
    return Number(f"{number} %", Decimal(number), True)


def value(text: str) -> int:
    """The number that a text of digits or words is."""
    if text.isdigit():
        return int(text)
    first, *rest = re.split(r"[ -]", text.lower())
    begun = 1 if first in ("a", "an") else VALUES[first]
    for word in rest:
        begun = begun * POWERS[word] if word in POWERS else begun + VALUES[word]
    return begun
