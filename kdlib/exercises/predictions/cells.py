"""What stands in a notebook: `predict` asks and keeps, `foreseen` judges at the chapter's end."""

from __future__ import annotations

import difflib
import textwrap
from typing import Any

from kdlib.exercises.judging.looks import prose
from kdlib.exercises.judging.verdict import Text
from kdlib.exercises.kept import FOLDER, Kept, folder
from kdlib.exercises.predictions.data import of_chapter, predictions
from kdlib.exercises.predictions.judging import Outcome, judge, range_of, read
from kdlib.exercises.predictions.kinds import Choice, Number, Order, Prediction

KEPT: Kept[str] = Kept("predictions", "predictions", lambda value: isinstance(value, str))
FORESEEN, MISSED, OPEN = "✓", "✗", "○"
COLUMNS = 79  # of a line in a notebook


def predict(id: str, answer: Any = None) -> Text:
    """Ask for a prediction, or keep the reader's. Whether it comes true, `foreseen` says.

    Args:
        id: such as "04-better-mimic".
        answer: a letter, a number, or letters in order, as the question asks; None to be asked.

    Returns:
        What there is to read: the question with its options or its number line, that the answer is
        kept, or in one line why it cannot be.
    """
    about = predictions().get(id) if isinstance(id, str) else None
    if about is None:
        near = ", ".join(difflib.get_close_matches(str(id), predictions())) or "none is similar"
        return Text(f"There is no prediction {id!r}; similar: {near}.")
    if answer is None or answer is ...:
        return _asked(about)
    try:
        said = read(about, answer)
    except ValueError as error:
        return Text(f"Nothing was changed: {error}.")
    return Text(_keep(id, said))


def foreseen(chapter: int | str) -> Text:
    """What became of the reader's predictions in a chapter.

    Without any, as where the chapters are built, it says what there is to do and no answer.

    Args:
        chapter: its number, as 4 or "04".
    """
    text = str(chapter)
    found = of_chapter(int(text)) if text.isdecimal() and len(text) <= 2 else ()
    if not found:
        numbers = ", ".join(sorted({id[:2] for id in predictions()}))
        return Text(f"There are no predictions of chapter {chapter!r}; there are of {numbers}.")
    kept, said = KEPT.read()
    outcomes = [judge(about, kept[about.id]) if about.id in kept else None for about in found]
    if not any(outcomes):
        todo = f"Chapter {int(text)} asks for {len(found)} predictions with predict(...)."
        return Text(" ".join(filter(None, (said, todo, "Make some, then run this cell again."))))
    pairs = [(about, outcome) for about, outcome in zip(found, outcomes) if outcome]
    lines = [_line(about, outcome) for about, outcome in pairs]
    if missing := [about.id for about, outcome in zip(found, outcomes) if not outcome]:
        lines.append(f"{OPEN} not predicted: {', '.join(missing)}")
    total = f"You foresaw {sum(outcome.foreseen for _, outcome in pairs)} of {len(pairs)}"
    total += f"; {len(missing)} not made." if missing else "."
    plain = [_wrapped(line) for line in [*lines, total]]
    listed = "\n".join(f"- {prose(line)}" for line in lines)
    return Text(
        "\n".join(filter(None, (said, *plain))),
        "\n\n".join(filter(None, (said, listed, f"**{total}**"))),
    )


# ---------------------------------------------------------------- asking


def _asked(about: Prediction) -> Text:
    """The question, what can be said, and how to say it."""
    rows, how = _form(about)
    kept = KEPT.read()[0].get(about.id)
    now = f"So far you have said {kept}." if kept else ""
    plain = [f"{about.title} ({about.id})", *rows, f"Commit to it: {how}", now]
    markdown = [
        f"**Your prediction.** {prose(about.title)}",
        "\n".join(f"- {prose(row)}" for row in rows),
        f"Commit to it: `{how}`",
        now,
    ]
    return Text("\n".join(filter(None, plain)), "\n\n".join(filter(None, markdown)))


def _form(about: Prediction) -> tuple[list[str], str]:
    """What can be said, a line each, and the call that says it."""
    match about:
        case Choice():
            rows = [f"({letter}) {option.text}" for letter, option in about.letters.items()]
            return rows, f'predict("{about.id}", "your letter")'
        case Number():
            unit = f" ({about.unit})" if about.unit else ""
            return [f"a number from {range_of(about)}{unit}"], f'predict("{about.id}", your_number)'
        case Order():
            letters = sorted(about.letters)
            rows = [f"({letter}) {text}" for letter, text in zip(letters, about.shown)]
            first, last = about.ends
            rows.append(f"in order, from {first} to {last}")
            return rows, f'predict("{about.id}", "your letters")'
    raise TypeError(f"{about.kind} is no kind of prediction")


def _keep(id: str, said: str) -> str:
    place = folder()
    if place is None:
        return f"{said}: read, and not kept, since {FOLDER} is off."
    before: list[str] = []

    def kept(entries: dict[str, str]) -> None:
        before.append(entries.get(id, said))
        entries[id] = said

    try:
        more = KEPT.change(place, kept)
    except OSError as error:
        return f"Your prediction could not be kept: {error.strerror or error}."
    instead = f", in place of {before[0]}" if before[0] != said else ""
    ahead = f'Now run what follows; foreseen("{id[:2]}") tells at the end.'
    note = f"{said} is kept{instead}. {ahead}"
    return " ".join(filter(None, (more, note)))


# ---------------------------------------------------------------- judging


def _line(about: Prediction, outcome: Outcome) -> str:
    return f"{FORESEEN if outcome.foreseen else MISSED} {about.title} {outcome.words}"


def _wrapped(line: str) -> str:
    """In lines that end before an id and not within one."""
    return textwrap.fill(line, COLUMNS, subsequent_indent="  ", break_on_hyphens=False)
