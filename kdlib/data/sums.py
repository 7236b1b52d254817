"""Sums: a text that a program writes, and whose answers a program can check.

A document is one problem with its working, column by column from the right, each with its carry::

    127+458=15,08,05:0585

7 + 8 is 15, which carries 1; 2 + 5 and the carry are 08; 1 + 4 are 05; the sum is 0585. All
problems have one length, so that a block of the training holds exactly one of them.
"""

from __future__ import annotations

import random

from kdlib.data.document import Document

SUMS = "sums"  # the name of this text
DIGITS = 3  # of both numbers
PROBLEMS = 20_000
SEED = 0  # which of all pairs of numbers these are


def sums() -> list[Document]:
    """All problems, in an order without meaning; their names are their questions."""
    chosen = random.Random(SEED).sample(range(10 ** (2 * DIGITS)), PROBLEMS)
    pairs = (divmod(pair, 10**DIGITS) for pair in chosen)
    texts = [written_out(a, b) for a, b in pairs]
    return [Document(question(text), text) for text in texts]


def written_out(a: int, b: int) -> str:
    """A problem with its working and its answer.

    Args:
        a, b: of at most `DIGITS` digits.
    """
    columns, carry = [], 0
    for place in range(DIGITS):
        column = a // 10**place % 10 + b // 10**place % 10 + carry
        columns.append(f"{column:02}")
        carry = column // 10
    return f"{a:0{DIGITS}}+{b:0{DIGITS}}={','.join(columns)}:{a + b:0{DIGITS + 1}}"


def question(text: str) -> str:
    """A problem up to the equals sign, which is what a model is given."""
    return text.partition("=")[0] + "="


def is_right(text: str) -> bool:
    """Whether a problem ends with its sum. The working before it is not judged.

    Args:
        text: a problem, as a model has gone on from its question.
    """
    asked, _, working = text.partition("=")
    given = working.rpartition(":")[2]
    return given == f"{sum(map(int, asked.split('+'))):0{DIGITS + 1}}"
