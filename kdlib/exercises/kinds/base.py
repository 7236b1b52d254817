"""What every exercise has, whatever its kind: a prompt, a check, hints and a solution."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from kdlib.exercises import progress
from kdlib.exercises.judging.handed_in import handed_in
from kdlib.exercises.judging.sandbox import within
from kdlib.exercises.judging.verdict import CORRECT, ERROR, NOT_ATTEMPTED, WRONG, Text, Verdict
from kdlib.exercises.judging.wrong import Wrong
from kdlib.exercises.kinds import card

SECONDS = 5.0  # a check may take; a right answer needs far less than one
VERDICT_FILE = "KDLIB_VERDICT_FILE"  # set while grading: each check adds a line to that file


@dataclass(eq=False, kw_only=True, repr=False)
class Exercise:
    """One exercise. Each kind has a function that makes them, such as `code` and `number`.

    Each kind adds: `judge(answer)` -> Verdict, `right_answers()` for the tests, `answer_stub` and
    `answer_solved` (the text of the exercise's cell before and after), `wrong` and `explanation`.
    """

    id: str
    source: tuple[str, ...]
    difficulty: int
    minutes: int
    prompt: str
    hints: tuple[str, ...]
    explanation: str = ""
    wrongs: list[Wrong] = field(default_factory=list)

    kind = "exercise"
    done = CORRECT  # the outcome of a right answer
    failed = "your answer cannot be read"  # what an error is called
    wrong: ClassVar[Callable[..., Any]]  # names a wrong answer; what it takes, each kind says

    def __post_init__(self) -> None:
        if self.difficulty not in range(1, 6):
            raise ValueError(f"{self.id}: difficulty is {self.difficulty}; it must be 1 to 5")
        if isinstance(self.source, str) or isinstance(self.hints, str):
            raise ValueError(f"{self.id}: source and hints must be tuples of texts")
        if not self.hints:
            raise ValueError(f"{self.id}: give at least one hint")

    @property
    def stub_answer(self) -> Any:
        """What the untouched cell hands to `check`."""
        return ...

    @property
    def answer_name(self) -> str:
        return "answer"

    @property
    def answer_stub(self) -> str:
        raise NotImplementedError

    @property
    def answer_solved(self) -> str:
        raise NotImplementedError

    def mistakes(self, *rows: tuple[Any, ...]) -> None:
        """Name wrong answers in a table. A row is what `wrong` takes, seen and expected last."""
        for *what, seen, expected in rows:
            self.wrong(*what, seen=seen, expected=expected)

    def judge(self, answer: Any) -> Verdict:
        raise NotImplementedError

    def check(self, *answer: Any, seconds: float = SECONDS) -> Verdict:
        """Judge an answer. Several arguments are one answer of several parts."""
        one = answer[0] if len(answer) == 1 else list(answer)
        if not answer:
            return recorded(self.untouched())
        return recorded(self._judged(lambda: self.judge(one), seconds), one)

    def hint(self, number: int = 1) -> Text:
        """The hint of that number: 1 gives the idea, the last is nearly the answer."""
        if number not in range(1, len(self.hints) + 1):
            raise ValueError(f"{self.id} has hints 1 to {len(self.hints)}, no hint {number}")
        return card.hint(self, number)

    def solution(self) -> Text:
        """The reference answer, with what there is to say about it."""
        return card.solution(self.answer_solved, self.explanation)

    def cell(self, solved: bool = False) -> str:
        """The exercise's notebook cell: its marker line, the stub or the solution, the check."""
        body = self.answer_solved if solved else self.answer_stub
        gap = "\n\n\n" if self.kind == "code" else "\n"
        return f'# exercise: {self.id}\n{body}{gap}exercise("{self.id}").check({self.answer_name})'

    def untouched(self, note: str = "") -> Verdict:
        return Verdict(self.id, NOT_ATTEMPTED, note=note)

    def correct(self) -> Verdict:
        return Verdict(self.id, CORRECT, note=self.explanation)

    def error(self, note: str) -> Verdict:
        return Verdict(self.id, ERROR, note=note, headline=self.failed)

    def verdict_of(self, wrong: Wrong) -> Verdict:
        return Verdict(self.id, WRONG, wrong.misconception, wrong.seen, wrong.expected)

    def unknown(self, seen: str, expected: str) -> Verdict:
        """A wrong answer without a name."""
        return Verdict(self.id, WRONG, None, seen, expected)

    def _judged(self, judge: Callable[[], Verdict], seconds: float) -> Verdict:
        try:
            verdict: Verdict = within(seconds, judge)
            return verdict
        except TimeoutError as late:
            after = f"It was stopped after {seconds:g} seconds of work"
            note = f"{after}: is there a loop that never ends?"
            if str(late) == "still running":
                note += "\nIt could not be stopped and still runs: restart the kernel."
            return self.error(note)

    def __repr__(self) -> str:
        return card.plain(self)

    def _repr_markdown_(self) -> str:
        return card.card(self)


def recorded(verdict: Verdict, answer: Any = None) -> Verdict:
    """Progress is a convenience: where it cannot be written, the verdict says so and stands.

    While a notebook is graded, the answer goes with the verdict, so that it can be judged again.
    """
    if path := os.environ.get(VERDICT_FILE):
        _append_line(Path(path), {**verdict.data, **handed_in(answer)})
        return verdict
    try:
        said = progress.record(verdict.exercise, verdict.progress, verdict.points)
    except OSError as error:
        said = f"Your progress could not be saved: {error.strerror or error}"
    return verdict.with_note(said) if said else verdict


def _append_line(path: Path, entry: dict[str, Any]) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
