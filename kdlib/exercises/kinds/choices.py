"""Exercises whose answer is one of several options. Every option has a comment of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from kdlib.exercises.judging.verdict import Verdict
from kdlib.exercises.judging.wrong import Wrong
from kdlib.exercises.kinds.base import Exercise
from kdlib.exercises.kinds.spellings import LETTERS, letter_of, lettered, shown


@dataclass(frozen=True)
class Option:
    text: str
    comment: str = ""  # of the right option
    wrong: Wrong | None = None


def right(text: str, comment: str) -> Option:
    """The right option, and why it is right."""
    return Option(text, comment)


def wrong(text: str, misconception: str, *, seen: str, expected: str) -> Option:
    """A wrong option, the mistake that it shows, what gives it away and what would be right."""
    return Option(text, wrong=Wrong(misconception, seen, expected))


def choice(id: str, *, options: tuple[Option, ...], **about: Any) -> ChoiceExercise:
    """Make an exercise of several options, of which exactly one is right."""
    if sum(option.wrong is None for option in options) != 1:
        raise ValueError(f"{id}: exactly one option must be right")
    pairs = zip(LETTERS, options)
    wrongs = [replace(o.wrong, example=letter) for letter, o in pairs if o.wrong is not None]
    return ChoiceExercise(id=id, options=options, wrongs=wrongs, **about)


@dataclass(eq=False, kw_only=True, repr=False)
class ChoiceExercise(Exercise):
    options: tuple[Option, ...]

    kind = "choice"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.texts = [option.text for option in self.options]
        self.letters = LETTERS[: len(self.options)]
        self.prompt = lettered(self.prompt, self.texts)
        place = [option.wrong for option in self.options].index(None)
        self.letter, self.explanation = LETTERS[place], self.options[place].comment

    def judge(self, answer: Any) -> Verdict:
        if answer is None or answer is ...:
            return self.untouched()
        letter = letter_of(answer, self.texts)
        if letter is None:
            letters = ", ".join(self.letters)
            return self.error(f"{shown(answer)} is no option; give one letter of {letters}.")
        if letter == self.letter:
            return self.correct()
        return self.verdict_of(next(w for w in self.wrongs if w.example == letter))

    def right_answers(self) -> list[str]:
        text = self.texts[self.letters.index(self.letter)]
        return [self.letter, f"({self.letter.upper()})", text]

    @property
    def answer_stub(self) -> str:
        return f"answer = ...  # one letter of {', '.join(self.letters)}"

    @property
    def answer_solved(self) -> str:
        return f'answer = "{self.letter}"'
