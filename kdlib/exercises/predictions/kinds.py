"""The three kinds of predictions: one of several, a place on a number line, an order."""

from __future__ import annotations

import functools
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from kdlib.exercises.kinds.spellings import LETTERS


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """One question that is answered by a form. Each kind adds what can be said.

    id: the chapter's number, a dash, a name. question: the words after **Predict** that find it.
    asks: what the form says.
    """

    id: str
    question: str
    asks: str = ""

    kind: ClassVar[str]

    @property
    def title(self) -> str:
        """What the form says: a sentence with its mark."""
        return self.asks or f"{self.question[0].upper()}{self.question[1:]}?"


@dataclass(frozen=True)
class Option:
    """text: what it says. when: it is right by the outputs. because: what choosing it shows."""

    text: str
    when: str
    because: str = ""


@dataclass(frozen=True, kw_only=True)
class Choice(Prediction):
    """One of several. shows: {name: pattern of a number}. right: the text of the right option."""

    options: tuple[Option, ...]
    right: str
    shows: Mapping[str, str]

    kind = "choice"

    @property
    def letters(self) -> dict[str, Option]:
        """The options by the letters that a reader answers with."""
        return dict(zip(LETTERS, self.options))

    @property
    def letter(self) -> str:
        """The right option's."""
        return next(letter for letter, o in self.letters.items() if o.text == self.right)


@dataclass(frozen=True, kw_only=True)
class Number(Prediction):
    """A place on a number line.

    right: the number. shows: its pattern. low, high: the ends of the line. is_log: its scale.
    factor, within: how near counts as foreseen; one of them is None.
    """

    right: float
    shows: str
    low: float
    high: float
    unit: str = ""
    is_log: bool = False
    factor: float | None = None
    within: float | None = None

    kind = "number"

    @property
    def is_whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)


@dataclass(frozen=True, kw_only=True)
class Order(Prediction):
    """Things to be put in order.

    items: (text, pattern of its number), in the right order. ends: what comes first, and last.
    is_rising: whether the numbers rise in the right order.
    """

    items: tuple[tuple[str, str], ...]
    ends: tuple[str, str]
    is_rising: bool

    kind = "order"

    @functools.cached_property
    def shown(self) -> tuple[str, ...]:
        """The items' texts as a reader sees them, shuffled by the id and lettered in this order."""
        texts = [text for text, _ in self.items]
        shuffled, shuffle = list(texts), random.Random(self.id)
        while shuffled == texts:
            shuffle.shuffle(shuffled)
        return tuple(shuffled)

    @property
    def letters(self) -> str:
        """Those of the right order."""
        return "".join(LETTERS[self.shown.index(text)] for text, _ in self.items)
