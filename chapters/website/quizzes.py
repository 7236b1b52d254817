"""Exercises of choice and number as forms on a page, which quiz.js judges as the checker would.

A form holds everything it can say as data, taken from the exercise: the verdict of each option, of
each named wrong number, and of the slips that every number exercise knows. A written answer is
marked by the reader, who sees the model answer and the rubric when there is something to compare.
"""

from __future__ import annotations

import html
import json
import math

from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from kdlib.exercises.catalogue import misconception
from kdlib.exercises.judging.looks import prose
from kdlib.exercises.judging.verdict import SIGNS, Verdict
from kdlib.exercises.kinds.base import Exercise
from kdlib.exercises.kinds.choices import LETTERS, ChoiceExercise
from kdlib.exercises.kinds.numbers import BITS, LIKE_IT, NumberExercise
from kdlib.exercises.kinds.written import FEW, WrittenExercise

Quiz = ChoiceExercise | NumberExercise | WrittenExercise

INLINE = MarkdownIt("commonmark").use(
    dollarmath_plugin,
    renderer=lambda tex, options: (
        f'<span class="math notranslate nohighlight">\\({html.escape(tex)}\\)</span>'
    ),
)


def is_quiz(exercise: Exercise) -> bool:
    return isinstance(exercise, Quiz)


def quiz_id(exercise: Exercise) -> str:
    return f"quiz-{exercise.id}"


def form(exercise: Quiz) -> str:
    """The form as HTML without blank lines, so that it can stand in Markdown."""
    button = "Check"
    if isinstance(exercise, ChoiceExercise):
        fields, data = _options(exercise), {"verdicts": _choice_verdicts(exercise)}
    elif isinstance(exercise, NumberExercise):
        fields, data = _number_field(exercise), _number_data(exercise)
    else:
        fields, data = _written_fields(exercise), _written_data(exercise)
        button = "Show the model answer"
    name = quiz_id(exercise)
    return "\n".join(
        (
            f'<form class="quiz" id="{name}" data-kind="{exercise.kind}">',
            fields,
            f'<button type="submit">{button}</button>',
            '<output class="verdict" aria-live="polite"></output>',
            f'<script type="application/json">{_json(data)}</script>',
            "</form>",
        )
    )


def question(exercise: Exercise) -> str:
    """The prompt as Markdown; of a choice without its options, which the form shows."""
    if isinstance(exercise, ChoiceExercise):
        return prose(exercise.prompt.rsplit("\n\n", 1)[0])
    return prose(exercise.prompt)


def inline(text: str) -> str:
    """A line of Markdown as HTML."""
    return INLINE.renderInline(prose(text))


# ---------------------------------------------------------------- the fields


def _options(exercise: ChoiceExercise) -> str:
    name = quiz_id(exercise)
    labels = [
        f'<label><input type="radio" name="{name}" value="{letter}"> '
        f"<span>({letter}) {inline(option.text)}</span></label>"
        for letter, option in zip(LETTERS, exercise.options)
    ]
    return "\n".join(("<fieldset>", "<legend>Your answer</legend>", *labels, "</fieldset>"))


def _number_field(exercise: NumberExercise) -> str:
    form = f"to {exercise.decimals} decimals" if exercise.decimals else "a whole number"
    about = ", ".join(filter(None, (exercise.unit, form)))
    return (
        f"<label>Your answer ({about}) "
        '<input type="text" autocomplete="off" spellcheck="false"></label>'
    )


def _written_fields(exercise: WrittenExercise) -> str:
    """A text area, and below it, hidden at first, the model answer and the rubric to tick."""
    labels = [
        f'<label><input type="checkbox" value="{number}"> '
        f"<span>{number}. {inline(point.text)}</span></label>"
        for number, point in enumerate(exercise.rubric, start=1)
    ]
    return "\n".join(
        (
            "<label>Your answer, in a few sentences",
            '<textarea rows="6" autocomplete="off"></textarea></label>',
            '<div class="marking" hidden>',
            f"<p><strong>Model answer:</strong> {inline(exercise.model)}</p>",
            "<fieldset>",
            "<legend>Which of these points does your answer make?</legend>",
            *labels,
            "</fieldset>",
            "</div>",
        )
    )


# ---------------------------------------------------------------- the data


def _choice_verdicts(exercise: ChoiceExercise) -> dict[str, dict]:
    letters = LETTERS[: len(exercise.options)]
    return {letter: as_data(exercise.judge(letter)) for letter in letters}


def _number_data(exercise: NumberExercise) -> dict:
    return {
        "value": exercise.value,
        "decimals": exercise.decimals,
        "nats": exercise.unit == "nats",
        "bits": BITS,
        "likeIt": LIKE_IT,
        "correct": as_data(exercise.judge(exercise.value)),
        "wrongs": [
            {"value": _finite(w.example), "verdict": as_data(exercise.verdict_of(w))}
            for w in exercise.wrongs
        ],
        "names": {id: misconception(id).name for id in ("sign-flipped", "nats-for-bits")},
    }


def _written_data(exercise: WrittenExercise) -> dict:
    """What is said of each point that the reader does not tick, in the order of the rubric."""
    missing = [as_data(exercise.verdict_of(wrong)) for wrong in exercise.wrongs]
    return {"few": FEW, "missing": missing}


def _finite(value: float) -> float | str:
    """JSON has no infinity; JavaScript reads it from a text."""
    return value if math.isfinite(value) else str(value).replace("inf", "Infinity")


def as_data(verdict: Verdict) -> dict:
    """What the page shows of a verdict."""
    name = verdict.misconception
    return {
        "outcome": verdict.outcome,
        "sign": SIGNS[verdict.outcome],
        "misconception": name,
        "name": misconception(name).name if name else "",
        "seen": verdict.seen,
        "expected": verdict.expected,
        "note": verdict.note,
    }


def _json(data: dict) -> str:
    """JSON that may stand inside a script element."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
