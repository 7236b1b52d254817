"""Exercises whose answer is one of several options. Every option has a comment of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kdlib.exercises.judging.verdict import CORRECT, ERROR, Verdict
from kdlib.exercises.judging.wrong import Wrong
from kdlib.exercises.kinds.base import Exercise

LETTERS = "abcdefgh"


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
    exercise = ChoiceExercise(id=id, options=options, **about)
    for letter, option in zip(LETTERS, options):
        if option.wrong is not None:
            w = option.wrong
            exercise.wrongs.append(Wrong(w.misconception, w.seen, w.expected, letter))
    return exercise


@dataclass(eq=False, kw_only=True, repr=False)
class ChoiceExercise(Exercise):
    options: tuple[Option, ...]

    kind = "choice"

    def __post_init__(self) -> None:
        super().__post_init__()
        lines = [f"- ({letter}) {option.text}" for letter, option in zip(LETTERS, self.options)]
        self.prompt = f"{self.prompt}\n\n" + "\n".join(lines)
        right = next(option for option in self.options if option.wrong is None)
        self.explanation = right.comment

    def judge(self, answer: Any) -> Verdict:
        if answer is None or answer is ...:
            return self.untouched()
        letters = LETTERS[: len(self.options)]
        letter = self._letter(answer)
        if letter is None:
            note = f"{answer!r} is no option; give one letter of {', '.join(letters)}."
            return Verdict(self.id, ERROR, note=note)
        if letter == self.letter:
            return Verdict(self.id, CORRECT, note=self.explanation)
        return self.verdict_of(next(w for w in self.wrongs if w.example == letter))

    def _letter(self, answer: Any) -> str | None:
        if not isinstance(answer, str):
            return None
        letter = answer.strip().strip("().").lower()
        texts = {option.text: known for known, option in zip(LETTERS, self.options)}
        letter = texts.get(answer.strip(), letter)
        return letter if len(letter) == 1 and letter in LETTERS[: len(self.options)] else None

    @property
    def letter(self) -> str:
        return LETTERS[[option.wrong is None for option in self.options].index(True)]

    def right_answers(self) -> list[str]:
        return [
            self.letter,
            f"({self.letter.upper()})",
            self.options[LETTERS.index(self.letter)].text,
        ]

    @property
    def answer_stub(self) -> str:
        return f"answer = ...  # one letter of {', '.join(LETTERS[: len(self.options)])}"

    @property
    def answer_solved(self) -> str:
        return f'answer = "{self.letter}"'
