"""Exercises as forms on a page, which static/exercises judges as the checker would.

A form holds everything it can say as data, taken from the exercise: the verdict of each option, of
each named wrong number, filling and pair. Only code is not answered on a page. A written answer is
marked by the reader, who sees the model answer and the rubric when there is something to compare.
"""

from __future__ import annotations

import html
import json
import math
import re

from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from kdlib.exercises.catalogue import misconception
from kdlib.exercises.judging.looks import prose
from kdlib.exercises.judging.verdict import SIGNS, Verdict
from kdlib.exercises.kinds.base import Exercise
from kdlib.exercises.kinds.choices import LETTERS, ChoiceExercise
from kdlib.exercises.kinds.derivations import DerivationExercise
from kdlib.exercises.kinds.numbers import NumberExercise
from kdlib.exercises.kinds.orderings import OrderingExercise
from kdlib.exercises.kinds.written import FEW, WrittenExercise

Quiz = ChoiceExercise | DerivationExercise | NumberExercise | OrderingExercise | WrittenExercise

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
    fields, data = _parts(exercise)
    button = "Show the model answer" if isinstance(exercise, WrittenExercise) else "Check"
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


def _parts(exercise: Quiz) -> tuple[str, dict]:
    """What is filled in, and what the judge knows."""
    match exercise:
        case ChoiceExercise():
            return _options(exercise), {"verdicts": _choice_verdicts(exercise)}
        case NumberExercise():
            return _number_field(exercise), _number_data(exercise)
        case OrderingExercise():
            return _items(exercise), _ordering_data(exercise)
        case DerivationExercise():
            return _blanks(exercise), _derivation_data(exercise)
    return _written_fields(exercise), _written_data(exercise)


def question(exercise: Exercise) -> str:
    """The prompt as Markdown; without its options or items, which the form shows."""
    if isinstance(exercise, ChoiceExercise | OrderingExercise):
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


def _items(exercise: OrderingExercise) -> str:
    """The items as they are shown to a reader, each with buttons that move it by one place."""
    rows = [
        f'<li data-letter="{letter}"><span>({letter}) {inline(item)}</span>\n'
        f'<span class="moves">{_move(letter, "up", "↑")} {_move(letter, "down", "↓")}</span></li>'
        for letter, item in zip(LETTERS, exercise.shown)
    ]
    return "\n".join(('<ol aria-label="Your order">', *rows, "</ol>"))


def _move(letter: str, way: str, sign: str) -> str:
    return f'<button type="button" data-move="{way}" aria-label="Move ({letter}) {way}">{sign}</button>'


def _blanks(exercise: DerivationExercise) -> str:
    """A line for each blank."""
    labels = [
        f'<label>[{number}] <input type="text" aria-label="Blank {number}" '
        'autocomplete="off" autocapitalize="off" spellcheck="false"></label>'
        for number in range(1, len(exercise.blanks) + 1)
    ]
    return "\n".join(("<fieldset>", "<legend>Your answer</legend>", *labels, "</fieldset>"))


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
        "words": sorted(set(re.findall(r"[a-z]+", exercise.prompt.lower()))),
        "correct": as_data(exercise.judge(exercise.value)),
        "wrongs": [
            {"value": _finite(w.example), "verdict": as_data(exercise.verdict_of(w))}
            for w in exercise.wrongs
        ],
        "names": {id: misconception(id).name for id in ("sign-flipped", "nats-for-bits")},
    }


def _ordering_data(exercise: OrderingExercise) -> dict:
    """letters: a right order. Pairs count its places from 0."""
    pairs = zip(exercise.pairs, exercise.wrongs)
    return {
        "letters": exercise.letters,
        "needed": sorted(exercise.needed),
        "pairs": [
            {"early": early, "late": late, "verdict": as_data(exercise.verdict_of(wrong))}
            for (early, late), wrong in pairs
        ],
        "correct": as_data(exercise.correct()),
    }


def _derivation_data(exercise: DerivationExercise) -> dict:
    numbers = range(1, len(exercise.blanks) + 1)
    return {
        "blanks": exercise.blanks,
        "symbols": exercise.symbols,
        "around": [exercise.around(number) for number in numbers],
        "terms": exercise.terms(),
        "slips": [
            {"blank": blank, "text": text, "verdict": as_data(exercise.verdict_of(wrong))}
            for (blank, text), wrong in zip(exercise.slips, exercise.wrongs)
        ],
        "correct": as_data(exercise.correct()),
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
