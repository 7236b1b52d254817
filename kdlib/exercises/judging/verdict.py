"""What a check says: shown as a small box in a notebook, and as the same text everywhere else."""

from __future__ import annotations

import html
from dataclasses import dataclass, replace

from kdlib.exercises.catalogue import misconception

CORRECT, WRONG, NOT_ATTEMPTED, ERROR = "correct", "wrong", "not attempted", "error"
SIGNS = {CORRECT: "✓", WRONG: "✗", NOT_ATTEMPTED: "○", ERROR: "!"}
COLOURS = {CORRECT: "#1b7837", WRONG: "#b35806", NOT_ATTEMPTED: "#737373", ERROR: "#542788"}


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

    def __repr__(self) -> str:
        width = max((len(label) for label, _ in self._rows()), default=0) + 2
        lines = [f"{SIGNS[self.outcome]} {self.exercise}: {self._headline()}"]
        for label, text in self._rows():
            first, *others = text.splitlines() or [""]
            lines.append(f"  {label + ':':<{width}}{first}")
            lines += [" " * (width + 2) + other for other in others]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<div style='white-space:pre-wrap'><b>{label}:</b> {html.escape(text)}</div>"
            for label, text in self._rows()
        )
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

    def with_note(self, note: str) -> Verdict:
        return replace(self, note="\n".join(filter(None, (self.note, note))))


class Text(str):
    """Text that a notebook shows as it stands, without quotation marks."""

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre style='white-space:pre-wrap'>{html.escape(self)}</pre>"
