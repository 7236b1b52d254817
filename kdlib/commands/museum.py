"""The command about symptoms: from what one sees to the mistakes that show it, or one mistake's card."""

from __future__ import annotations

import json
from dataclasses import dataclass

import tyro

from kdlib.errors import UserError
from kdlib.jobs.flags import parse
from kdlib.machine.console import show


@dataclass(frozen=True)
class SymptomOptions:
    """Say what you see, and get the likeliest of the mistakes that the book's museum keeps.

    kdlib symptom my loss is negative: the five likeliest. kdlib symptom terms-clamped: one of them by
    its id, with its broken code beside sound code, both of which are run.
    """

    words: tyro.conf.Positional[tuple[str, ...]]
    """What you see, in your own words; or the id of a mistake."""
    json: bool = False
    """Print JSON: ids, symptoms and where to read; no code is run."""


def symptom(arguments: list[str]) -> None:
    """Run ``kdlib symptom``: print what was found, or a card."""
    options = parse(SymptomOptions, arguments, prog="kdlib symptom")
    from kdlib.exercises.catalogue import misconceptions
    from kdlib.exercises.museum.cards import cards
    from kdlib.exercises.museum.finder import symptom as found_by

    if not options.words:
        raise UserError(
            "words: there are none; say what you see: kdlib symptom my loss is negative"
        )
    (first, *others) = options.words
    is_id = not others and first in misconceptions()
    ids = (first,) if is_id else found_by(*options.words).ids
    if options.json:
        found = [misconceptions()[id] for id in ids]
        rows = [{"id": m.id, "sign": m.sign, "name": m.name, "read": [*m.read]} for m in found]
        show(json.dumps(rows, indent=1, ensure_ascii=False))
    elif is_id:
        show(repr(cards().get(first, misconceptions()[first])))
    else:
        show(repr(found_by(*options.words)))
        if ids:
            show(f"\nkdlib symptom {ids[0]} shows the first; the others by their ids as well")
