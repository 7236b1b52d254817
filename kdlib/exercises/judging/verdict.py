"""What a check says: shown as a small box in a notebook, and as the same text everywhere else."""

from __future__ import annotations

import html
from dataclasses import dataclass, replace
from typing import Self

from kdlib.exercises import progress
from kdlib.exercises.catalogue import misconception

CORRECT, WRONG, NOT_ATTEMPTED, ERROR = "correct", "wrong", "not attempted", "error"
TO_MARK, SELF_MARKED = "to be marked", "self-marked"  # of written answers
SIGNS = {
    CORRECT: "✓", WRONG: "✗", NOT_ATTEMPTED: "○", ERROR: "!", TO_MARK: "✎", SELF_MARKED: "✎",
}  # fmt: skip
COLOURS = {
    CORRECT: "#1b7837", WRONG: "#b35806", NOT_ATTEMPTED: "#737373", ERROR: "#542788",
    TO_MARK: "#2166ac", SELF_MARKED: "#2166ac",
}  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """The outcome of one check. True in a condition exactly when the answer is correct.

    outcome: "correct", "wrong", "not attempted" or "error" (the answer's code failed).
    misconception: catalogue id of a wrong answer that was recognised.
    seen, expected: the property that the answer has, and the one that it should have.
    note: whatever else there is to say.
    """

    exercise: str
    outcome: str
    misconception: str | None = None
    seen: str = ""
    expected: str = ""
    note: str = ""

    def __bool__(self) -> bool:
        return self.outcome == CORRECT

    @property
    def progress(self) -> str:
        """What the check makes of the exercise in the reader's progress; "" for nothing."""
        if self.outcome == NOT_ATTEMPTED:
            return ""
        return progress.SOLVED if self else progress.TRIED

    @property
    def data(self) -> dict[str, object]:
        """The verdict for JSON."""
        names = ("exercise", "outcome", "misconception", "seen", "expected", "note")
        return {name: getattr(self, name) for name in names}

    def __repr__(self) -> str:
        width = max((len(label) for label, _ in self._rows()), default=0) + 2
        lines = [f"{SIGNS[self.outcome]} {self.exercise}: {self._headline()}"]
        for label, text in self._rows():
            first, *others = text.splitlines() or [""]
            lines.append(f"  {label + ':':<{width}}{first}")
            lines += [" " * (width + 2) + other for other in others]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return self._box_html("".join(self._row_html(*row) for row in self._rows()))

    def _row_html(self, label: str, text: str) -> str:
        return f"<div style='white-space:pre-wrap'><b>{label}:</b> {html.escape(text)}</div>"

    def _box_html(self, rows: str) -> str:
        head = f"{SIGNS[self.outcome]} {self.exercise}: {self._headline()}"
        style = f"border-left:4px solid {COLOURS[self.outcome]};padding:.3em .8em"
        return f"<div style='{style}'><b>{html.escape(head)}</b>{rows}</div>"

    def _headline(self) -> str:
        if self.outcome == WRONG:
            name = f": {misconception(self.misconception).name}" if self.misconception else ""
            return f"not yet{name}"
        return "an error in your code" if self.outcome == ERROR else self.outcome

    def _rows(self) -> list[tuple[str, str]]:
        rows = [("Seen", self.seen), ("Expected", self.expected)]
        if self.misconception:
            # The catalogue says what to do. Whoever wants to think first is not told here.
            chapters = ", ".join(misconception(self.misconception).read)
            rows.append(("Read", f'{chapters}, or misconception("{self.misconception}")'))
        return [(label, text) for label, text in [*rows, ("Note", self.note)] if text]

    def with_note(self, note: str) -> Self:
        return replace(self, note="\n".join(filter(None, (self.note, note))))


class Text(str):
    """Text that a notebook shows as it stands, without quotation marks."""

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre style='white-space:pre-wrap'>{html.escape(self)}</pre>"
