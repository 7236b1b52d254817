"""How an exercise stands on a page: its task or quiz, and, collapsed, its hints and solution."""

from __future__ import annotations

import html
from collections.abc import Iterable

from kdlib.exercises.kinds.base import Exercise
from kdlib.exercises.kinds.card import title
from kdlib.exercises.kinds.choices import ChoiceExercise
from kdlib.exercises.kinds.derivations import DerivationExercise
from kdlib.exercises.kinds.numbers import NumberExercise
from kdlib.exercises.kinds.orderings import OrderingExercise
from kdlib.exercises.kinds.written import WrittenExercise
from website.quizzes import form, inline, is_quiz, question

KINDS = {
    "number": "a number",
    "choice": "one of several",
    "ordering": "an order",
    "derivation": "blanks to fill",
    "written": "a few sentences",
}


def card_id(exercise: Exercise) -> str:
    return f"exercise-{exercise.id}"


def card(exercise: Exercise) -> str:
    """The task, as Markdown; a quiz has its form and its solution in it."""
    parts = [
        f":::::{{admonition}} Exercise: {title(exercise.id)}",
        f":class: exercise\n:name: {card_id(exercise)}",
        "",
        f'<p class="facts">{facts(exercise)}</p>',
        "",
        question(exercise),
        "",
    ]
    if is_quiz(exercise):
        parts += [form(exercise), ""]
    parts += [hints(exercise), ""]
    if is_quiz(exercise):
        parts += [solution(exercise), ""]
    parts += [":::::"]
    return "\n".join(parts)


def facts(exercise: Exercise) -> str:
    kind = KINDS.get(exercise.kind, exercise.kind)
    return " ".join(
        f"<span>{fact}</span>"
        for fact in (kind, dots(exercise.difficulty), f"{exercise.minutes} min")
    )


def dots(difficulty: int) -> str:
    """Full and empty dots, with words for who cannot see them."""
    shown = "●" * difficulty + "○" * (5 - difficulty)
    return f'<span role="img" aria-label="difficulty {difficulty} of 5">{shown}</span>'


def hints(exercise: Exercise) -> str:
    """Each hint behind its own summary, so that one can stop after the first."""
    return "\n\n".join(
        collapsed(f"Hint {number}", paragraph(hint), "hint")
        for number, hint in enumerate(exercise.hints, start=1)
    )


def solution(exercise: Exercise) -> str:
    """The reference solution as Markdown, collapsed. Code is a block, the rest are paragraphs."""
    match exercise:
        case WrittenExercise():
            parts = [paragraph(exercise.model), _points(exercise)]
        case NumberExercise():
            parts = [_fenced(exercise.answer_solved), _fenced(exercise.working)]
        case ChoiceExercise():
            text = exercise.texts[exercise.letters.index(exercise.letter)]
            parts = [paragraph(f"({exercise.letter}) {text}")]
        case OrderingExercise():
            parts = [_list(exercise.items)]
        case DerivationExercise():
            rows = (blank[0] for blank in exercise.blanks)
            parts = [_list(f"`{text}`" for text in rows)]
        case _:
            parts = [_fenced(exercise.answer_solved)]
    body = "\n\n".join(filter(None, (*parts, paragraph(exercise.explanation))))
    return collapsed("Solution", body, "solution", name=f"solution-{exercise.id}")


def _list(texts: Iterable[str]) -> str:
    items = "\n".join(f"<li>{inline(text)}</li>" for text in texts)
    return f"<ol>\n{items}\n</ol>"


def _points(exercise: WrittenExercise) -> str:
    items = _list(point.text for point in exercise.rubric)
    return f"<p>The points that it makes:</p>\n{items}"


def collapsed(summary: str, body: str, kind: str, name: str = "") -> str:
    """Markdown behind a summary. The blank lines let the body be read as Markdown."""
    identity = f' id="{html.escape(name)}"' if name else ""
    opening = f'<details class="{kind}"{identity}><summary>{summary}</summary>'
    return f"{opening}\n\n{body}\n\n</details>"


def paragraph(text: str) -> str:
    """Text of which only code and formulas are Markdown: "-x" at its start begins no list."""
    return f"<p>{inline(text)}</p>" if text else ""


def _fenced(code: str) -> str:
    return f"```python\n{code}\n```"
