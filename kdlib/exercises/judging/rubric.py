"""What a written answer should say, point by point, and which points a program can find in it.

Prose cannot be marked by a program. Some of what it should contain can be: a number, a name, a
direction. The rule is to claim too little rather than too much. A sentence that denies or asks is
never taken for one that says it; where nothing is found, the reader is asked to look.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from kdlib.exercises.catalogue import misconception

ENOUGH = 3  # digits of a number; with fewer it may be any number
DENIES = re.compile(
    r"\b(not|no|non|never|none|nobody|nothing|nor|neither|without|cannot|\w+n't|hardly|barely|"
    r"scarcely|unless|false|falsely|wrong|wrongly|untrue|instead|rather|fails?|failed)\b",
    re.IGNORECASE,
)
# A clause that a denial in it does not reach back from: "covers, but it does not follow" does.
ANOTHER_CLAUSE = re.compile(
    r",? (?:and )?(?:so|because|since|for|whereas|while)\b"
    r"|,? (?:and|but) (?!(?:that|this|these|it|which|such)\b)(?!(?:\w+ )?(?:not|never|\w+n't)\b)",
    re.IGNORECASE,
)
SENTENCE_ENDS = re.compile(r"(?<=[.!?;])\s+")
NUMBER = re.compile(
    r"(?<![\w.,])[-+]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d*[.,]\d+|\d+)(?:\s?%)?(?!\w|[.,]\d)"
)


@dataclass(frozen=True)
class Point:
    """One point that a written answer should make.

    text: what a good answer says, as a sentence: "Says that the teacher does not learn."
    misconception: id in misconceptions.toml of what an answer without this point shows.
    found: how a program finds the point. A regular expression is looked for in each sentence,
        whatever the case of its letters; one that asks, or that has a "not" or the like before or
        behind it in the same clause, does not count. To look for a denial, put the "not" into the
        expression. A number counts however it is rounded, to three digits at least or to all that
        it has. Left out: the reader decides alone.
    without: an answer as a reader might give it that lacks this point, for the tests.
    """

    text: str
    misconception: str
    found: str | float | None = None
    without: str = ""

    def __post_init__(self) -> None:
        misconception(self.misconception)  # an unknown id is an error of the author: say so at once
        if isinstance(self.found, str):
            re.compile(self.found)

    def is_in(self, answer: str) -> bool:
        """Whether the program finds the point. False may only mean that it cannot see it."""
        found = self.found
        if found is None:
            return False
        sentences = SENTENCE_ENDS.split(in_one_line(answer))
        return any(_says(s, found) for s in sentences if not s.endswith("?"))


def in_one_line(text: str) -> str:
    """The text with single spaces, plain apostrophes and plain minus signs."""
    return " ".join(text.replace("’", "'").replace("−", "-").split())


def _says(sentence: str, found: str | float) -> bool:
    """Whether the sentence has a phrase or a number, and nothing that turns its meaning round."""
    if not isinstance(found, str):
        numbers = NUMBER.finditer(sentence)
        return any(_rounds_to(m[0], found) and not _denied(sentence, m) for m in numbers)
    may_deny = bool(DENIES.search(found))
    matches = re.finditer(found, sentence, re.IGNORECASE)
    return any(not _denied(sentence, m) and (may_deny or not DENIES.search(m[0])) for m in matches)


def _denied(sentence: str, match: re.Match[str]) -> bool:
    """Whether what stands around it denies it: before it, or behind it in the same clause."""
    behind = ANOTHER_CLAUSE.split(sentence[match.end() :], maxsplit=1)[0]
    return bool(DENIES.search(sentence[: match.start()]) or DENIES.search(behind))


def _rounds_to(written: str, value: float) -> bool:
    """Whether a number as it was written is this value, rounded to enough of its digits."""
    digits = written.removesuffix("%").strip()
    if re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?", digits):
        digits = digits.replace(",", "")
    digits = digits.replace(",", ".")
    target = 100 * value if written.endswith("%") else value
    unit = 10.0 ** -len(digits.partition(".")[2])
    has_enough = _digits(digits) >= min(ENOUGH, _digits(str(target)))
    return has_enough and abs(float(digits) - target) <= unit / 2 * (1 + 1e-6)


def _digits(number: str) -> int:
    """How many digits a number has, without zeros at either end."""
    return len(Decimal(number).normalize().as_tuple().digits)
