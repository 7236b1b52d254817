"""Exercises whose answer is an order. A mistake is a pair that stands the wrong way round."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from kdlib.exercises.judging.verdict import Verdict
from kdlib.exercises.judging.wrong import Wrong
from kdlib.exercises.kinds.base import Exercise
from kdlib.exercises.kinds.spellings import LETTERS, lettered, letters_of

Pair = tuple[int, int]


def ordering(
    id: str, *, items: tuple[str, ...], before: tuple[Pair, ...] | None = None, **about: Any
) -> OrderingExercise:
    """Make an exercise of putting things in order. `items` are given in a right order.

    The reader sees them shuffled and lettered. Name mistakes with `.wrong(early, late, ...)`.

    Args:
        items: what is to be ordered, in a right order.
        before: what must stand before what, as pairs of item numbers that count from 1. Every order
            that keeps to them is right. Without it, only the order of `items` is.
        about: what every exercise has.
    """
    chain = tuple((number, number + 1) for number in range(1, len(items)))
    return OrderingExercise(id=id, items=items, before=before or chain, **about)


@dataclass(eq=False, kw_only=True, repr=False)
class OrderingExercise(Exercise):
    items: tuple[str, ...]
    before: tuple[Pair, ...]
    pairs: list[Pair] = field(default_factory=list)

    kind = "ordering"

    def __post_init__(self) -> None:
        super().__post_init__()
        for pair in self.before:
            self._check_numbers(*pair)
        self.needed = _closure({(early - 1, late - 1) for early, late in self.before})
        shown = list(range(len(self.items)))
        shuffle = random.Random(self.id)
        while shown == sorted(shown):
            shuffle.shuffle(shown)
        self.shown = [self.items[i] for i in shown]
        self.prompt = lettered(self.prompt, self.shown)
        self.letters = "".join(LETTERS[shown.index(i)] for i in range(len(self.items)))

    def _check_numbers(self, early: int, late: int) -> None:
        if not 1 <= early < late <= len(self.items):
            raise ValueError(
                f"{self.id}: {early} and {late} must be item numbers, in the right order"
            )

    def wrong(self, early: int, late: int, misconception: str, *, seen: str, expected: str) -> None:
        """Name the mistake of putting item number `late` before item number `early`.

        Items count from 1, in the right order. Of several mistakes the one added first is named.
        """
        self._check_numbers(early, late)
        if (early - 1, late - 1) not in self.needed:
            raise ValueError(f"{self.id}: item {late} may stand before item {early}")
        order = list(self.letters)
        order.insert(early - 1, order.pop(late - 1))
        self.pairs.append((early - 1, late - 1))
        self.wrongs.append(Wrong(misconception, seen, expected, "".join(order)))

    def judge(self, answer: Any) -> Verdict:
        if answer is None or answer is ...:
            return self.untouched()
        given = letters_of(answer, self.shown)
        if sorted(given) != sorted(self.letters):
            return self.error(f"Give each of the letters {', '.join(sorted(self.letters))} once.")
        order = [self.letters.index(letter) for letter in given]
        for (early, late), wrong in zip(self.pairs, self.wrongs):
            if order.index(late) < order.index(early):
                return self.verdict_of(wrong)
        for place, item in enumerate(order):
            if any((later, item) in self.needed for later in order[place:]):
                seen = f"({given[place]}) stands before something that belongs before it"
                return self.unknown(seen, "whatever belongs before a thing stands before it")
        return self.correct()

    def right_answers(self) -> list[Any]:
        another = "".join(self.letters[i] for i in self._latest_first())
        return [self.letters, list(self.letters), " > ".join(self.letters.upper()), another]

    def _latest_first(self) -> list[int]:
        """The right order that differs most from that of `items`."""
        left, order = set(range(len(self.items))), list[int]()
        while left:
            free = [i for i in left if not any((other, i) in self.needed for other in left)]
            order.append(max(free))
            left.remove(order[-1])
        return order

    @property
    def answer_stub(self) -> str:
        return f"answer = ...  # the letters {', '.join(sorted(self.letters))} in the right order"

    @property
    def answer_solved(self) -> str:
        return f'answer = "{self.letters}"'


def _closure(pairs: set[Pair]) -> set[Pair]:
    """The pairs, and those that follow from them: a before b and b before c is a before c."""
    more = pairs | {(a, d) for a, b in pairs for c, d in pairs if b == c}
    return more if more == pairs else _closure(more)
