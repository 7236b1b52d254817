"""Exercises whose answer fills the blanks of a derivation, with formulas or with words."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from numbers import Number
from typing import Any

import torch

from kdlib.exercises.judging.verdict import Verdict
from kdlib.exercises.judging.wrong import Wrong
from kdlib.exercises.kinds.base import Exercise
from kdlib.exercises.kinds.formulas import is_formula, same_formula
from kdlib.exercises.kinds.spellings import bare, several, shown, term

EQUALS = re.compile(r"^(?:\[\d\]|\w+)\s*=\s*")  # "q = " before a formula
SUCH = "2*log(x)/3"


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
            return self.error(f"Give a list of {len(self.blanks)} texts, one for each blank.")
        if all(filling is ... for filling in fillings):
            return self.untouched()
        for number, filling in enumerate(fillings, start=1):
            if (verdict := self._blank(number, filling)) is not None:
                return verdict
        return self.correct()

    def _fillings(self, answer: Any) -> list[Any] | None:
        if isinstance(answer, dict):
            named = {re.sub(r"\W", "", str(key)): value for key, value in answer.items()}
            answer = [named.get(str(number), ...) for number in range(1, len(self.blanks) + 1)]
        if isinstance(answer, str) and _filling(answer) is ...:
            return [...] * len(self.blanks)
        items = several(answer)
        if items is None:
            items = self._split(answer) if isinstance(answer, str) else [answer]
        if len(items) != len(self.blanks):
            return None
        return [_filling(item) for item in items]

    def _split(self, answer: str) -> list[str]:
        """One text may hold all fillings, with commas, semicolons or line breaks between them."""
        parts = [part for part in re.split(r"[,;\n]", answer) if part.strip()]
        return parts if len(parts) == len(self.blanks) else [answer]

    def _blank(self, number: int, filling: Any) -> Verdict | None:
        """None for a right filling."""
        if filling is ...:
            return self.untouched(f"Blank [{number}] is still open.")
        texts = self._spellings(number, filling)
        if any(self._same(text, known) for text in texts for known in self.blanks[number - 1]):
            return None
        slips = [(slip, w) for (blank, slip), w in zip(self.slips, self.wrongs) if blank == number]
        for text, (slip, wrong) in itertools.product(texts, slips):
            if self._same(text, slip):
                return self.verdict_of(wrong)
        return self._unnamed(number, texts)

    def _spellings(self, number: int, filling: str) -> list[str]:
        """The filling; without a name that it is set equal to; without words of the prompt.

        Where the prompt goes on "[2] times as likely", an answer may be "3 times".
        """
        texts = [bare(filling), bare(EQUALS.sub("", bare(filling)))]
        for before, following in self.around(number):
            for count in range(1, len(following) + 1):
                end = r"\s+".join(map(re.escape, following[:count]))
                texts.append(re.sub(rf"(?<=[\w)])\s+{end}$", "", texts[1], flags=re.IGNORECASE))
            if before and before not in self.symbols:
                start = rf"^{re.escape(before)}\s+(?=\S)"
                texts.append(re.sub(start, "", texts[1], flags=re.IGNORECASE))
        return list(dict.fromkeys(texts))

    def around(self, number: int) -> list[tuple[str, list[str]]]:
        """The word before a blank, and those after it, at each of its places in the prompt."""
        places = re.findall(rf"(\w*) ?\[{number}\]((?: \w+)*)", self.prompt)
        return [(before, after.split()) for before, after in places]

    def _same(self, filling: str, known: str) -> bool:
        if not (self._is_formula(known) and self._is_formula(filling)):
            return term(filling) == term(known)
        try:
            return same_formula(filling, known, self.symbols)
        except ValueError:
            return False

    def _is_formula(self, text: str) -> bool:
        return is_formula(text, self.symbols)

    def _unnamed(self, number: int, texts: list[str]) -> Verdict:
        note = ""
        if self._is_formula(self.blanks[number - 1][0]):
            if not any(map(self._is_formula, texts)):
                note = f"cannot be read as a formula in {', '.join(self.symbols)}, such as {SUCH}."
            elif not any(self._has_a_value(text) for text in texts):
                note = "has no value: is it the logarithm of a negative number, or divided by 0?"
        elif not {term(text) for text in texts} & set(known := self.terms()):
            offered = sorted(set(known.values()))
            note = f"is none of these: {', '.join(offered)}." if len(offered) > 1 else ""
        if note:
            return self.error(f"Blank [{number}] {note}")
        return self.unknown(
            f"blank [{number}] does not follow from what stands before it",
            "what makes the line before it and the line after it agree",
        )

    def _has_a_value(self, text: str) -> bool:
        try:
            return same_formula(text, text, self.symbols)
        except ValueError:
            return False

    def terms(self) -> dict[str, str]:
        """What the blanks that take a term may hold, right or wrong; of synonyms the first."""
        named: dict[str, str] = {}
        for accepted in (*sorted(self.blanks, key=len), *((text,) for _, text in self.slips)):
            for text in accepted:
                if not self._is_formula(text):
                    named.setdefault(term(text), accepted[0])
        return named

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


def _filling(item: Any) -> Any:
    """A text, or ... for an open blank."""
    if isinstance(item, torch.Tensor) and item.numel() == 1:
        item = item.item()
    item = "..." if item is None or item is ... else item
    if isinstance(item, Number):
        item = str(item)
    text = str.__str__(item) if isinstance(item, str) else shown(item)
    return text if text.strip(". ") else ...
