"""What a check of a written answer says: answer, model answer and rubric, side by side.

The reader marks the answer. The program says which points it found, names the mistake behind each
point that is missing, and calls nothing correct.
"""

from __future__ import annotations

from dataclasses import dataclass

from kdlib.exercises import progress
from kdlib.exercises.catalogue import misconception
from kdlib.exercises.judging.looks import beside, reading, table
from kdlib.exercises.judging.rubric import Point
from kdlib.exercises.judging.verdict import SELF_MARKED, TO_MARK, Verdict

PROGRAM, READER = "program", "reader"
BY = {PROGRAM: "found by the program", READER: "ticked by you"}


@dataclass(frozen=True)
class Mark:
    """One point of the rubric, and by whom it was found in the answer: "" where by nobody yet."""

    number: int
    point: Point
    by: str = ""

    @property
    def note(self) -> str:
        if not self.by and self.point.found is not None:
            return "the program did not find it: look yourself"
        return BY.get(self.by, "")

    @property
    def line(self) -> str:
        box = "[x]" if self.by else "[ ]"
        return f"{box} {self.number}. {self.point.text}" + (f" ({self.note})" if self.note else "")


@dataclass(frozen=True, repr=False)
class SelfMarked(Verdict):
    """The outcome for a written answer: "to be marked" until the reader has ticked.

    answer, model: the reader's text and the model answer. marks: every point of the rubric.
    misconception, seen, expected are those of the first point that is missing, once it is marked.
    """

    answer: str = ""
    model: str = ""
    marks: tuple[Mark, ...] = ()

    @property
    def points(self) -> tuple[int, int]:
        """How many points the answer makes, and how many there are."""
        return sum(bool(mark.by) for mark in self.marks), len(self.marks)

    @property
    def progress(self) -> str:
        made, of = self.points
        return progress.SELF_MARKED if made == of else progress.TRIED

    @property
    def data(self) -> dict[str, object]:
        marks = [{"number": m.number, "text": m.point.text, "by": m.by} for m in self.marks]
        points = dict(zip(("made", "of"), self.points))
        return {**super().data, "answer": self.answer, "points": points, "rubric": marks}

    def _headline(self) -> str:
        if self.outcome == TO_MARK:
            return "written; now mark it yourself"
        made, of = self.points
        return f"self-marked, {made} of {of} points"

    def _rows(self) -> list[tuple[str, str]]:
        rows = [("Your answer", self.answer), ("Model answer", self.model)]
        rows.append(("Rubric", "\n".join(mark.line for mark in self.marks)))
        return [*rows, *self._missing(), *([("Note", self.note)] if self.note else [])]

    def _missing(self) -> list[tuple[str, str]]:
        """For each point that is missing: which mistake that is, in the words of other verdicts."""
        if self.outcome != SELF_MARKED:
            return []
        rows = []
        for mark in (mark for mark in self.marks if not mark.by):
            entry = misconception(mark.point.misconception)
            rows += [
                (f"Point {mark.number}", f"not yet: {entry.name}"),
                ("Seen", unseen(mark.number)),
                ("Expected", mark.point.text),
                ("Read", reading(entry)),
            ]
        return rows

    def _repr_html_(self) -> str:
        """As the text, with the two answers beside each other where there is room."""
        yours, models, *others = self._rows()
        return self._box_html(beside(yours, models) + table(others))


def self_marked(
    exercise: str, answer: str, model: str, marks: tuple[Mark, ...], is_marked: bool
) -> SelfMarked:
    """The verdict: with the reader's ticks, or, before them, with the question for them."""
    missing = [mark for mark in marks if not mark.by]
    if missing and not is_marked:
        open_points = ", ".join(str(mark.number) for mark in missing)
        note = (
            f"Which of the points {open_points} does your answer make? Give their numbers as"
            f" ticked, for example ticked = [{missing[0].number}]; for none of them, ticked = []."
        )
        return SelfMarked(exercise, TO_MARK, note=note, answer=answer, model=model, marks=marks)
    first = missing[0] if missing else None
    return SelfMarked(
        exercise,
        SELF_MARKED,
        first.point.misconception if first else None,
        unseen(first.number) if first else "",
        first.point.text if first else "",
        answer=answer,
        model=model,
        marks=marks,
    )


def unseen(number: int) -> str:
    """What is seen of a point that the answer does not make; nothing that may be false of it."""
    return f"point {number} was neither ticked nor found in your answer"
