"""What a reader said, read and judged. The website's predict_judge.js says the same words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from kdlib.exercises.kinds.number_reader import read_number
from kdlib.exercises.kinds.spellings import letter_of, letters_of, shown
from kdlib.exercises.predictions.kinds import Choice, Number, Order, Prediction

LONGEST = 40  # characters of a number that are kept as they were written
ROUNDING = 1e-9  # of a distance: 0.3 is within 0.1 of 0.2


@dataclass(frozen=True)
class Outcome:
    """Whether a prediction came true, and what there is to say about it."""

    foreseen: bool
    words: str


def read(about: Prediction, answer: Any) -> str:
    """What is kept of an answer: letters, or a number as it was written.

    Raises:
        ValueError: where it is none, with what to give instead.
    """
    match about:
        case Choice():
            return _read_letter(about, answer)
        case Number():
            return _read_number(about, answer)
        case Order():
            return _read_order(about, answer)
    raise TypeError(f"{about.kind} is no kind of prediction")


def judge(about: Prediction, said: str) -> Outcome | None:
    """What became of what was kept; None where that is no answer to this question any more."""
    try:
        said = read(about, said)
    except ValueError:
        return None
    match about:
        case Choice():
            return _judge_choice(about, said)
        case Number():
            return _judge_number(about, said)
        case Order():
            return _judge_order(about, said)
    return None


def range_of(about: Number) -> str:
    """The ends of the number line in words."""
    return f"{about.low:,} to {about.high:,}"


def words_beside(about: Number) -> list[str]:
    """Words that may stand after the number."""
    return sorted({*re.findall(r"[a-z]+", f"{about.title} {about.unit}".lower())})


def _read_letter(about: Choice, answer: Any) -> str:
    letter = letter_of(answer, [option.text for option in about.options])
    if letter is None:
        raise ValueError(f"{shown(answer)} is no option; give one letter of {_listed(about)}")
    return letter


def _listed(about: Choice) -> str:
    return ", ".join(about.letters)


def _read_number(about: Number, answer: Any) -> str:
    text = answer.replace("%", "") if isinstance(answer, str) and about.unit == "%" else answer
    if isinstance(text, str) and not text.strip():
        raise ValueError(f"a number is missing; give one from {range_of(about)}")
    value = read_number(text, about.is_whole, " ".join(words_beside(about)))
    said = answer.strip() if isinstance(answer, str) else f"{value:.6g}"
    if not about.low <= value <= about.high:  # nan is not, either
        raise ValueError(f"{shown(said)} is not on the line; give a number from {range_of(about)}")
    return said if len(said) <= LONGEST else f"{value:.6g}"


def _read_order(about: Order, answer: Any) -> str:
    given, all_of_them = letters_of(answer, about.shown), sorted(about.letters)
    if sorted(given) != all_of_them:
        raise ValueError(f"give each of the letters {', '.join(all_of_them)} once")
    return " ".join(given)


def _judge_choice(about: Choice, said: str) -> Outcome:
    option = about.letters[said]
    if said == about.letter:
        return Outcome(True, f"You foresaw it: {option.text}.")
    words = f"You said: {option.text}. It is: {about.right}."
    return Outcome(False, f"{words} {option.because}".rstrip())


def _judge_number(about: Number, said: str) -> Outcome:
    value = read_number(
        said.replace("%", "") if about.unit == "%" else said,
        about.is_whole,
        " ".join(words_beside(about)),
    )
    is_near = _is_near(about, value)
    words = f"You said {said}; it is {_with_unit(f'{about.right:,}', about.unit)}."
    return Outcome(is_near, f"{words} {_how_near(about, is_near)}")


def _is_near(about: Number, value: float) -> bool:
    if about.within is not None:
        return abs(value - about.right) <= about.within + ROUNDING * abs(about.right)
    assert about.factor is not None  # `data` takes one of the two
    if value <= 0:
        return False
    return max(value / about.right, about.right / value) <= about.factor * (1 + ROUNDING)


def _how_near(about: Number, is_near: bool) -> str:
    if about.within is not None:
        near = _with_unit(f"{about.within:,}", about.unit)
    else:
        near = f"a factor of {about.factor:,}"
    return f"That is within {near}." if is_near else f"Within {near} counts as foreseen."


def _with_unit(number: str, unit: str) -> str:
    return f"{number} {unit}".rstrip()


def _judge_order(about: Order, said: str) -> Outcome:
    right = ", then ".join(text for text, _ in about.items)
    if said.replace(" ", "") == about.letters:
        return Outcome(True, f"You foresaw it: {right}.")
    named = dict(zip(sorted(about.letters), about.shown))
    given = ", then ".join(named[letter] for letter in said.split())
    return Outcome(False, f"You said: {given}. It is: {right}.")
