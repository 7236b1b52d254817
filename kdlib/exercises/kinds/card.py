"""How an exercise is shown: as a card in a notebook, in Markdown, and as plain text elsewhere.

The plain text is the same for every reader. The card also says what this reader has reached, except
where no progress is kept, as when the chapters are built and tested.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kdlib.exercises import progress
from kdlib.exercises.judging.looks import FRAME, prose
from kdlib.exercises.judging.verdict import Text

if TYPE_CHECKING:
    from kdlib.exercises.kinds.base import Exercise

STYLE = f"{FRAME}border-left:6px solid #3b82c4;padding:.2em 1em .6em"


def title(id: str) -> str:
    """Words out of an id: "kl-of-rows" is "KL of rows"."""
    words = re.sub(r"\bkl\b", "KL", id.replace("-", " "))
    return words[0].upper() + words[1:]


def plain(exercise: Exercise) -> str:
    """The task as text."""
    effort = f"{exercise.kind}, difficulty {_dots(exercise)}, about {exercise.minutes} min"
    return f"{exercise.id} ({effort})\n{exercise.prompt}"


def card(exercise: Exercise) -> str:
    """The task as Markdown: what it is and asks, what this reader has reached, and the hints."""
    facts = (
        exercise.kind,
        f'difficulty {exercise.difficulty} of 5 <span aria-hidden="true">{_dots(exercise)}</span>',
        f"about {exercise.minutes} min",
        f"`{exercise.id}`",
    )
    parts = (
        f'<div style="{STYLE}">',
        f'<h3 style="font-size:1.2em;margin:.4em 0">Exercise: {title(exercise.id)}</h3>',
        " · ".join(facts),
        reached(exercise.id),
        prose(exercise.prompt),
        _hints(exercise.hints),
        "</div>",
    )
    return "\n\n".join(filter(None, parts))


def reached(id: str) -> str:
    """What this reader has reached in an exercise; "" where no progress is kept."""
    if progress.folder() is None:
        return ""
    entries, said = progress.read()
    return " ".join(filter(None, (f"**Your progress:** {_state(entries.get(id))}", said)))


def hint(exercise: Exercise, number: int) -> Text:
    """One hint, and how to get the next."""
    of = len(exercise.hints)
    text, more = exercise.hints[number - 1], number < of
    shown = [f"**Hint {number} of {of}.** {prose(text)}"]
    if more:
        shown.append(f'More: `exercise("{exercise.id}").hint({number + 1})`')
    next_one = f"\nMore: hint({number + 1})" if more else ""
    return Text(f"Hint {number} of {of}: {text}{next_one}", "\n\n".join(shown))


def solution(answer: str, explanation: str, computation: str = "") -> Text:
    """The answer's code, how it is computed where the answer is a number, and what to say."""
    code = [f"```python\n{each}\n```" for each in (answer, computation) if each]
    return Text(
        "\n\n".join(filter(None, (answer, explanation, computation))),
        "\n\n".join([*code, *filter(None, [prose(explanation)])]),
    )


def _dots(exercise: Exercise) -> str:
    return "●" * exercise.difficulty + "○" * (5 - exercise.difficulty)


def _state(entry: dict[str, Any] | None) -> str:
    """An entry in a few words, after the sign of its state."""
    if entry is None:
        return f"{progress.SIGNS[progress.OPEN]} not checked yet"
    checks = "1 check" if entry["checks"] == 1 else f"{entry['checks']} checks"
    made = ", {} of {} points".format(*entry["points"]) if "points" in entry else ""
    return f"{progress.SIGNS[entry['state']]} {entry['state']}{made}, {checks}"


def _hints(hints: tuple[str, ...]) -> str:
    """Hints behind summaries, each inside the one before, so that they open one after the other."""
    opened = [
        f'<details class="hint">\n<summary>Hint {number} of {len(hints)}</summary>\n\n{prose(text)}'
        for number, text in enumerate(hints, start=1)
    ]
    return "\n\n".join([*opened, *["</details>"] * len(hints)])
