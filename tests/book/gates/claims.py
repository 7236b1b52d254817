"""Every number in a chapter's prose was computed there, or was put in there.

A claim is, in a markdown cell (formulas, code spans and tables count like the rest):

- a number with a decimal point or an exponent: 0.27, .05, 1e-3;
- a percentage: 51 %;
- a whole number from 100 upwards: 4096, 200,000. For smaller ones see `number_words`.

A claim speaks about its own section or the one before (in the opening, and from the summary on, about
the whole chapter), and what the opening sets up holds everywhere. There it is supported by

- an output (text, or the plain twin of what is shown) that holds the number, or
  more digits of it: 0.0268 supports 0.0268, 0.027 and 2.7 %. A claim of one significant digit must
  be printed as it stands, for too many numbers would round to it: 0.0268 does not support 0.03;
- a number that stands in the code: an input, or the bound of an assertion.

What an author wrote into a text of the code was not computed: such a number supports nothing, and in
an alt text it is a claim like those in the prose.

Signs are not compared. No claims are: years (whole numbers from 1700 to 2099), the numbers of
chapters and sections (at the head of a heading, after the word "chapter" or "section"), arXiv and
version numbers, numbers that are part of a name (float64, Q07), and the targets of links.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from nbformat import NotebookNode
from predictions import FORM

from gates.chapter import Chapter, is_picture, printed, shown
from kdlib.plots.words import KEY, texts_of

NUMBER = re.compile(
    r"""
    (?<![\w.])(?<![A-Za-z]-)            # not inside of a name, a word or a version
    (?P<digits>
        \d{1,3}(?:(?:,|_|\\,|\{,\}|[\u2009\u202f])\d{3})+(?:\.\d+)?     # 200,000
      | \d*\.\d+
      | \d+(?=[eE][+-]?\d)
      | \d+(?![A-Za-z_])
    )
    (?P<exponent>[eE][+-]?\d+)?
    (?!\d|\.\d)
    (?P<percent>[ \u00a0\u2009\u202f]?\\?%)?
    """,
    re.VERBOSE,
)
NO_CLAIM = re.compile(
    r"""
    \]\([^)]*\) | https?://\S+ | <!--.*?-->             # targets of links, comments
  | ^\#+\ +[\d.]+\ | \b(?:[Cc]hapters?|[Ss]ections?)\ [\d.]*\d(?:(?:,\ |\ and\ |\ to\ |-)[\d.]*\d)*
  | §+\s?[\d.]*\d
  | arXiv:\s?\S+ | \b\d+(?:\.\d+){2,}
    """,
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)
SUMMARY = "## Summary"
YEARS = range(1700, 2100)


class Number(NamedTuple):
    """A number as it was written, without its sign."""

    text: str
    value: Decimal
    percent: bool

    @property
    def is_rough(self) -> bool:
        return len(self.value.as_tuple().digits) == 1

    @property
    def is_claim(self) -> bool:
        if self.percent or re.search(r"[.eE]", self.text):
            return True
        return self.value >= 100 and self.value not in YEARS


def numbers(text: str) -> list[Number]:
    return [_number(match) for match in NUMBER.finditer(text)]


def claims(prose: str) -> list[Number]:
    return [number for number in numbers(NO_CLAIM.sub(" ", prose)) if number.is_claim]


def faults(chapter: Chapter) -> list[str]:
    return [
        f"no output and no code near by holds {claim.text}: {_around(text, claim)}"
        for section, near in with_neighbours(chapter.sections)
        for claim, text in _said(section)
        if not supported(claim, *near)
    ]


def with_neighbours(sections: list[list[NotebookNode]]) -> Iterator[tuple]:
    """Each section, with what was computed and what was given where its claims may refer to."""
    found = [_support(section) for section in sections]
    is_whole = False
    for place, section in enumerate(sections):
        is_whole = is_whole or section[0].source.startswith(SUMMARY)
        whole = place == 0 or is_whole
        near = found if whole else [found[0], *found[max(1, place - 1) : place + 1]]
        yield section, tuple([number for part in parts for number in part] for parts in zip(*near))


def _support(section: list[NotebookNode]) -> tuple[list[Number], list[Number]]:
    # What a form offers was written into its data, not computed.
    code = [c for c in section if c.cell_type == "code" and not FORM.match(c.source)]
    computed = [number for cell in code for number in _computed(cell)]
    return computed, [number for cell in code for number in _literals(cell, int | float)]


def _said(section: list[NotebookNode]) -> list[tuple[Number, str]]:
    """The claims of a section, each with the text that it stands in."""
    prose = [cell.source for cell in section if cell.cell_type == "markdown"]
    said = [(claim, text) for text in prose for claim in claims(text)]
    return said + [pair for cell in section for pair in _said_by_pictures(cell)]


def supported(claim: Number, computed: list[Number], given: list[Number]) -> bool:
    return any(_same(claim, number) for number in given) or any(
        _same(claim, number) or _rounded(claim, number) for number in computed
    )


def _same(claim: Number, number: Number) -> bool:
    return claim.value in _readings(claim, number)


def _rounded(claim: Number, number: Number) -> bool:
    """Whether the number, written with the digits of the claim, is the claim."""
    unit = _unit(claim.value)
    return not claim.is_rough and any(
        _unit(value) < unit and 2 * abs(value - claim.value) <= unit
        for value in _readings(claim, number)
    )


def _readings(claim: Number, number: Number) -> list[Decimal]:
    """The number in the unit of the claim: what is 51 % may have been printed as 0.51, or as 51."""
    if claim.percent and not number.percent:
        return [number.value, number.value.scaleb(2)]
    return [number.value.scaleb(-2)] if number.percent and not claim.percent else [number.value]


def _unit(value: Decimal) -> Decimal:
    """One in the last digit that was written."""
    return Decimal((0, (1,), value.as_tuple().exponent))


def _number(match: re.Match) -> Number:
    digits = re.sub(r"[^\d.]", "", match["digits"])
    return Number(match[0], Decimal(digits + (match["exponent"] or "")), bool(match["percent"]))


def _computed(cell: NotebookNode) -> list[Number]:
    """The numbers in a cell's outputs, without those that its author wrote into them."""
    written = {number.text for number in _literals(cell, str)}
    found = [number for text in printed(cell) for number in numbers(text)]
    return [number for number in found if number.text not in written]


def _said_by_pictures(cell: NotebookNode) -> list[tuple[Number, str]]:
    """The claims in alt texts that their author wrote, each with its text."""
    if cell.cell_type != "code":
        return []
    written = {number.text for number in _literals(cell, str)}
    alts = [data.get("text/plain", "") for data in shown(cell) if is_picture(data)]
    return [(claim, alt) for alt in alts for claim in claims(alt) if claim.text in written]


def _literals(cell: NotebookNode, kind: type) -> list[Number]:
    """The numbers that stand in a cell's code, as numbers or inside of its texts.

    The key of a picture's words stands for the words, which their author wrote into a file.
    """
    # Lines for IPython alone are not Python.
    lines = [line for line in cell.source.splitlines() if not line.startswith(("%", "!"))]
    constants = [
        node.value
        for node in ast.walk(ast.parse("\n".join(lines)))
        if isinstance(node, ast.Constant) and isinstance(node.value, kind)
    ]
    return [number for value in constants for number in numbers(_text_of(str(value)))]


def _text_of(literal: str) -> str:
    key = KEY.fullmatch(literal)
    text = texts_of(int(key[1])).get(key[2], literal) if key else literal
    return re.sub(r"\{[^{}]*\}", "{}", text) if key else text


def _around(prose: str, claim: Number) -> str:
    return next((line.strip() for line in prose.splitlines() if claim.text in line), "")
