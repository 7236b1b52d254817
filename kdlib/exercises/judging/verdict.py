"""What a check says: shown as a small box in a notebook, and as the same text everywhere else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from kdlib.exercises import progress
from kdlib.exercises.catalogue import misconception
from kdlib.exercises.judging.looks import box, call, prose, reading, table

CORRECT, WRONG, NOT_ATTEMPTED, ERROR = "correct", "wrong", "not attempted", "error"
TO_MARK, SELF_MARKED = "to be marked", "self-marked"  # of written answers
SIGNS = {
    CORRECT: "✓", WRONG: "✗", NOT_ATTEMPTED: "○", ERROR: "!", TO_MARK: "✎", SELF_MARKED: "✎",
}  # fmt: skip
COLOURS = {  # each stands out from a light page and from a dark one
    CORRECT: "#2e8540", WRONG: "#c8550a", NOT_ATTEMPTED: "#808080", ERROR: "#9b59b6",
    TO_MARK: "#3b82c4", SELF_MARKED: "#3b82c4",
}  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """The outcome of one check. True in a condition exactly when the answer is correct.

    outcome: "correct", "wrong", "not attempted" or "error" (it failed, or cannot be read).
    misconception: catalogue id of a wrong answer that was recognised.
    seen, expected: the property that the answer has, and the one that it should have.
    note: whatever else there is to say. headline: what an error is called.
    """

    exercise: str
    outcome: str
    misconception: str | None = None
    seen: str = ""
    expected: str = ""
    note: str = ""
    headline: str = ""

    def __bool__(self) -> bool:
        return self.outcome == CORRECT

    @property
    def progress(self) -> str:
        """What the check makes of the exercise in the reader's progress; "" for nothing."""
        if self.outcome == NOT_ATTEMPTED:
            return ""
        return progress.SOLVED if self else progress.TRIED

    @property
    def points(self) -> tuple[int, int] | None:
        """How many points of a rubric the answer makes, and of how many; None without a rubric."""
        return None

    @property
    def data(self) -> dict[str, object]:
        """The verdict for JSON."""
        names = ("exercise", "outcome", "misconception", "seen", "expected", "note")
        return {name: getattr(self, name) for name in names}

    def __repr__(self) -> str:
        width = max((len(label) for label, _ in self._rows()), default=0) + 2
        lines = [self._head()]
        for label, text in self._rows():
            first, *others = text.splitlines() or [""]
            lines.append(f"  {label + ':':<{width}}{first}")
            lines += [" " * (width + 2) + other for other in others]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        written = ("Note",) if self.outcome == ERROR else ()  # it quotes the reader's code
        return self._box_html(table(self._rows(), written))

    def _box_html(self, body: str) -> str:
        return box(f"Verdict on {self.exercise}", self._head(), COLOURS[self.outcome], body)

    def _head(self) -> str:
        return f"{SIGNS[self.outcome]} {self.exercise}: {self._headline()}"

    def _headline(self) -> str:
        if self.outcome == WRONG:
            name = f": {misconception(self.misconception).name}" if self.misconception else ""
            return f"not yet{name}"
        return self.headline or self.outcome

    def _rows(self) -> list[tuple[str, str]]:
        rows = [("Seen", self.seen), ("Expected", self.expected)]
        if self.misconception:
            rows.append(("Read", reading(misconception(self.misconception))))
        if self.outcome == WRONG:
            rows.append(("Hint", call(f'exercise("{self.exercise}").hint()')))
        return [(label, text) for label, text in [*rows, ("Note", self.note)] if text]

    def with_note(self, note: str) -> Self:
        return replace(self, note="\n".join(filter(None, (self.note, note))))


class Text(str):
    """Text that is shown without quotation marks; in a notebook, as Markdown.

    markdown: that Markdown, where it is not the text itself.
    """

    markdown: str

    def __new__(cls, text: str, markdown: str = "") -> Self:
        made = super().__new__(cls, text)
        made.markdown = markdown or prose(text)
        return made

    def __repr__(self) -> str:
        return str(self)

    def _repr_markdown_(self) -> str:
        return self.markdown
