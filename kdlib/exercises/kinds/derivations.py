"""Exercises whose answer fills the blanks of a derivation, with formulas or with words."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from kdlib.exercises.judging.verdict import CORRECT, ERROR, Verdict
from kdlib.exercises.judging.wrong import Wrong
from kdlib.exercises.kinds.base import Exercise
from kdlib.exercises.kinds.formulas import evaluate, same_formula


def derivation(
    id: str, *, blanks: tuple[Any, ...], symbols: tuple[str, ...] = (), **about: Any
) -> DerivationExercise:
    """Make a derivation with blanks, shown as [1], [2], ... in the prompt.

    A blank is a text, or a tuple of texts that are all right. Formulas in `symbols` count as equal
    where they are the same function; anything else is compared as words.
    """
    accepted = tuple((blank,) if isinstance(blank, str) else blank for blank in blanks)
    return DerivationExercise(id=id, blanks=accepted, symbols=symbols, **about)


@dataclass(eq=False, kw_only=True, repr=False)
class DerivationExercise(Exercise):
    blanks: tuple[tuple[str, ...], ...]
    symbols: tuple[str, ...]
    slips: list[tuple[int, str]] = field(default_factory=list)

    kind = "derivation"

    def __post_init__(self) -> None:
        super().__post_init__()
        missing = [n for n in range(1, len(self.blanks) + 1) if f"[{n}]" not in self.prompt]
        if missing:
            raise ValueError(f"{self.id}: the prompt does not show the blanks {missing}")

    def wrong(self, blank: int, text: str, misconception: str, *, seen: str, expected: str) -> None:
        """Name a wrong filling of one blank; blanks count from 1."""
        example = [accepted[0] for accepted in self.blanks]
        example[blank - 1] = text
        self.slips.append((blank, text))
        self.wrongs.append(Wrong(misconception, seen, expected, example))

    def judge(self, answer: Any) -> Verdict:
        if answer is None or answer is ...:
            return self.untouched()
        fillings = self._fillings(answer)
        if fillings is None:
            note = f"Give a list of {len(self.blanks)} texts, one for each blank."
            return Verdict(self.id, ERROR, note=note)
        if all(filling is ... for filling in fillings):
            return self.untouched()
        for number, filling in enumerate(fillings, start=1):
            if (verdict := self._blank(number, filling)) is not None:
                return verdict
        return Verdict(self.id, CORRECT, note=self.explanation)

    def _fillings(self, answer: Any) -> list[Any] | None:
        if isinstance(answer, dict):
            answer = [answer.get(number, ...) for number in range(1, len(self.blanks) + 1)]
        if isinstance(answer, (str, int, float)):
            answer = [answer]
        if not isinstance(answer, (list, tuple)) or len(answer) != len(self.blanks):
            return None
        return [... if item is None or item is ... else str(item) for item in answer]

    def _blank(self, number: int, filling: Any) -> Verdict | None:
        """None for a right filling."""
        if filling is ...:
            return self.untouched(f"Blank [{number}] is still open.")
        if any(self._same(filling, accepted) for accepted in self.blanks[number - 1]):
            return None
        for (blank, text), wrong in zip(self.slips, self.wrongs):
            if blank == number and self._same(filling, text):
                return self.verdict_of(wrong)
        return self._unnamed(number, filling)

    def _same(self, a: str, b: str) -> bool:
        if _words(a) == _words(b):
            return True
        try:
            return same_formula(a, b, self.symbols)
        except ValueError:
            return False

    def _unnamed(self, number: int, filling: str) -> Verdict:
        expected = "what makes the line before it and the line after it agree"
        if self._is_formula(self.blanks[number - 1][0]) and not self._is_formula(filling):
            names = ", ".join(self.symbols)
            note = f"Blank [{number}] cannot be read as a formula in {names}, such as 2*log(x)/3."
            return Verdict(self.id, ERROR, note=note)
        return self.unknown(
            f"blank [{number}] does not follow from what stands before it", expected
        )

    def _is_formula(self, text: str) -> bool:
        try:
            evaluate(text, {symbol: 0.5 for symbol in self.symbols})
        except ValueError:
            return False
        return True

    def right_answers(self) -> list[list[str]]:
        most = max(len(accepted) for accepted in self.blanks)
        return [[a[min(i, len(a) - 1)] for a in self.blanks] for i in range(most)]

    @property
    def answer_stub(self) -> str:
        opens = ", ".join("..." for _ in self.blanks)
        return f"answer = [{opens}]  # one text for each blank"

    @property
    def answer_solved(self) -> str:
        return f"answer = {self.right_answers()[0]!r}"

    @property
    def stub_answer(self) -> list[Any]:
        return [...] * len(self.blanks)


def _words(text: str) -> str:
    return re.sub(r"\s+", "", text).lower()
