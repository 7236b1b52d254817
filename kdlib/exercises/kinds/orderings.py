"""Exercises whose answer is an order. A mistake is a pair that stands the wrong way round."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from kdlib.exercises.judging.verdict import CORRECT, ERROR, Verdict
from kdlib.exercises.judging.wrong import Wrong
from kdlib.exercises.kinds.base import Exercise

LETTERS = "abcdefgh"


def ordering(id: str, *, items: tuple[str, ...], **about: Any) -> OrderingExercise:
    """Make an exercise of putting things in order. `items` are given in the right order.

    The reader sees them shuffled and lettered. Name mistakes with `.wrong(early, late, ...)`.
    """
    return OrderingExercise(id=id, items=items, **about)


@dataclass(eq=False, kw_only=True, repr=False)
class OrderingExercise(Exercise):
    items: tuple[str, ...]
    pairs: list[tuple[int, int]] = field(default_factory=list)

    kind = "ordering"

    def __post_init__(self) -> None:
        super().__post_init__()
        shown = list(range(len(self.items)))
        shuffle = random.Random(self.id)
        while shown == sorted(shown):
            shuffle.shuffle(shown)
        lines = [f"- ({LETTERS[place]}) {self.items[i]}" for place, i in enumerate(shown)]
        self.prompt = f"{self.prompt}\n\n" + "\n".join(lines)
        self.letters = "".join(LETTERS[shown.index(i)] for i in range(len(self.items)))

    def wrong(self, early: int, late: int, misconception: str, *, seen: str, expected: str) -> None:
        """Name the mistake of putting item number `late` before item number `early`.

        Items count from 1, in the right order. Of several mistakes the one added first is named.
        """
        if not 1 <= early < late <= len(self.items):
            raise ValueError(
                f"{self.id}: {early} and {late} must be item numbers, in the right order"
            )
        order = list(self.letters)
        order.insert(early - 1, order.pop(late - 1))
        self.pairs.append((early - 1, late - 1))
        self.wrongs.append(Wrong(misconception, seen, expected, "".join(order)))

    def judge(self, answer: Any) -> Verdict:
        if answer is None or answer is ...:
            return self.untouched()
        given = self._letters(answer)
        if sorted(given) != sorted(self.letters):
            note = f"Give each of the letters {', '.join(sorted(self.letters))} once."
            return Verdict(self.id, ERROR, note=note)
        if given == self.letters:
            return Verdict(self.id, CORRECT, note=self.explanation)
        for (early, late), wrong in zip(self.pairs, self.wrongs):
            if given.index(self.letters[late]) < given.index(self.letters[early]):
                return self.verdict_of(wrong)
        place = next(i for i, (a, b) in enumerate(zip(given, self.letters)) if a != b)
        seen = f"({given[place]}) stands at place {place + 1}, which is too early for it"
        return self.unknown(seen, "each step has what it needs from the steps before it")

    def _letters(self, answer: Any) -> str:
        if isinstance(answer, str):
            parts: Sequence[Any] = [c for c in answer.lower() if c.isalpha()]
        else:
            parts = list(answer) if isinstance(answer, (list, tuple)) else []
        return "".join(str(part).strip().strip("()").lower() for part in parts)

    def right_answers(self) -> list[Any]:
        return [self.letters, list(self.letters), " > ".join(self.letters.upper())]

    @property
    def answer_stub(self) -> str:
        return f"answer = ...  # the letters {', '.join(sorted(self.letters))} in the right order"

    @property
    def answer_solved(self) -> str:
        return f'answer = "{self.letters}"'
