"""Exercises that are answered in a few sentences. The reader marks them, against a rubric.

A check shows the answer beside a model answer and the points that a good answer makes. Points that
a program can find, it ticks; the reader ticks the others, by their numbers. Both answer and ticks
stand in the cell, so that they last as long as the notebook.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from typing import Any

from kdlib.exercises.judging.rubric import Point
from kdlib.exercises.judging.self_marked import PROGRAM, READER, Mark, self_marked, unseen
from kdlib.exercises.judging.verdict import SELF_MARKED, Text, Verdict
from kdlib.exercises.judging.wrong import Wrong
from kdlib.exercises.kinds.base import SECONDS, Exercise, recorded

FEW = 8  # words; fewer are a heading, not an answer
WIDTH = 79
TICKS = "ticked = ...  # after the first check: the points that you made, such as [1, 3]"


def written(id: str, *, model: str, rubric: tuple[Point, ...], **about: Any) -> WrittenExercise:
    """Make an exercise that is answered in a few sentences.

    Args:
        model: a model answer of two to five sentences, which makes every point. It must contain
            what the program looks for.
        rubric: three or four points, in the order in which a good answer makes them.
        about: what every exercise has: source, difficulty, minutes, prompt, hints, explanation.
    """
    if len(rubric) not in (3, 4):
        raise ValueError(f"{id}: the rubric has {len(rubric)} points; it must have 3 or 4")
    return WrittenExercise(id=id, model=" ".join(model.split()), rubric=rubric, **about)


@dataclass(eq=False, kw_only=True, repr=False)
class WrittenExercise(Exercise):
    model: str
    rubric: tuple[Point, ...]

    kind = "written"
    done = SELF_MARKED

    def __post_init__(self) -> None:
        super().__post_init__()
        for number, each in enumerate(self.rubric, start=1):
            wrong = Wrong(each.misconception, unseen(number), each.text, each.without)
            self.wrongs.append(wrong)

    def check(self, *answer: Any, ticked: Any = ..., seconds: float = SECONDS) -> Verdict:
        """Show the answer beside the model answer and the rubric.

        Args:
            answer: the text; several texts are read as one.
            ticked: the numbers of the points that the answer makes, as the reader sees it.
            seconds: that the program may look for points.
        """
        one = answer[0] if len(answer) == 1 else list(answer)
        return recorded(self._judged(lambda: self.judge(one, ticked), seconds))

    def judge(self, answer: Any, ticked: Any = ...) -> Verdict:
        text = _text(answer)
        if text is None:
            return self.error(f"Write a few sentences as a text; this is {type(answer).__name__}.")
        words = re.findall(r"\w+", text)
        if len(words) < FEW:
            return self.untouched(f"Write a few sentences: {FEW} words at least." if words else "")
        numbers = _numbers(ticked)
        if numbers is None or not numbers <= set(range(1, len(self.rubric) + 1)):
            note = f"ticked is {ticked!r}; give numbers of points, 1 to {len(self.rubric)}."
            return self.error(note)
        is_marked = ticked is not ... and ticked is not None
        return self_marked(self.id, text, self.model, self._marks(text, numbers), is_marked)

    def _marks(self, text: str, ticked: set[int]) -> tuple[Mark, ...]:
        marks = []
        for number, each in enumerate(self.rubric, start=1):
            by = PROGRAM if each.is_in(text) else READER if number in ticked else ""
            marks.append(Mark(number, each, by))
        return tuple(marks)

    def right_answers(self) -> list[str]:
        return [self.model]

    @property
    def answer_name(self) -> str:
        return "answer, ticked=ticked"

    @property
    def stub_answer(self) -> str:
        return "\n...\n"

    @property
    def answer_stub(self) -> str:
        return f'answer = """\n...\n"""\n{TICKS}'

    @property
    def answer_solved(self) -> str:
        raw = "r" if "\\" in self.model else ""
        numbers = list(range(1, len(self.rubric) + 1))
        lines = textwrap.fill(self.model, WIDTH, break_long_words=False, break_on_hyphens=False)
        return f'answer = {raw}"""\n{lines}\n"""\nticked = {numbers}'

    def solution(self) -> Text:
        """The model answer, and the points that it makes."""
        points = [f"{number}. {each.text}" for number, each in enumerate(self.rubric, start=1)]
        return Text("\n\n".join(filter(None, (self.model, "\n".join(points), self.explanation))))


def _text(answer: Any) -> str | None:
    """The text of an answer, "" for none, without the stub's dots; None for what is no text."""
    if answer is None or answer is ...:
        return ""
    parts = answer if isinstance(answer, (list, tuple)) else [answer]
    if not all(isinstance(part, str) for part in parts):
        return None
    return "\n".join(parts).strip().removeprefix("...\n").strip()


def _numbers(ticked: Any) -> set[int] | None:
    """The numbers in [1, 3], (1, 3), 1 or "1, 3"; None for what is none of these."""
    if ticked is None or ticked is ...:
        return set()
    if isinstance(ticked, str):
        ticked = ticked.replace(",", " ").split()
    parts = list(ticked) if isinstance(ticked, (list, tuple, set, range)) else [ticked]
    try:
        return {int(str(part)) for part in parts}
    except ValueError:
        return None
