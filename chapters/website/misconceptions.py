"""The page of mistakes, to be searched by symptom: each with its code, exhibit and exercises."""

from __future__ import annotations

import functools
import html
import re
from collections import defaultdict
from importlib import resources

from kdlib.exercises.catalogue import Misconception, misconceptions
from kdlib.exercises.kinds.base import Exercise
from kdlib.exercises.kinds.card import title
from kdlib.exercises.kinds.functions import CodeExercise
from kdlib.exercises.museum import prelude
from kdlib.exercises.museum.cards import BugCard
from kdlib.exercises.museum.cards import cards as bug_cards
from website import symptoms
from website.cards import card_id, collapsed
from website.chapter import ANCHOR, Chapter
from website.links import Links

INTRODUCTION = """# Symptoms and mistakes

The mistakes that people make in distillation, in code and in reasoning, each under what one sees of
it. A verdict of an exercise names them. Each entry says why the mistake is made and what to do about
it, and has an exhibit in the bug museum or, here, its broken code beside sound code, with what both
print. Both were run when this page was made.
"""


def page(chapters: list[Chapter], links: Links) -> str:
    """The page as Markdown, in the groups and in the order of the catalogue."""
    exhibits, exercises = exhibits_of(chapters), exercises_by_misconception(chapters)
    parts = [INTRODUCTION, symptoms.form(), _prelude()]
    for group, entries in groups().items():
        parts.append(f"## {group}")
        parts += [entry(e, exhibits.get(e.id), exercises[e.id], links) for e in entries]
    return "\n\n".join(parts) + "\n"


def entry(
    about: Misconception, exhibit: str | None, exercises: list[Exercise], links: Links
) -> str:
    rows = [f"**{about.name}.** {about.why}", f"**Do.** {about.do}"]
    card = bug_cards().get(about.id)
    if card:
        rows.append(_snippets(card))
    places = [_read(place, links) for place in about.read]
    if exhibit:
        places.insert(0, f"[the exhibit]({exhibit}#{about.id})")
    rows.append(f"**Read.** {', '.join(places)}")
    if card and card.seen:
        rows.append(f"**Seen in.** {card.seen}")
    if card:
        rows.append(f'<p class="caught"><strong>Caught by.</strong> <code>{card.test}</code></p>')
    if exercises:
        named = ", ".join(f"[{title(e.id)}](#{card_id(e)})" for e in exercises)
        rows.append(f"**Exercises that name it.** {named}")
    body = "\n\n".join(rows)
    return f"(misconception-{about.id})=\n### {about.sign}\n\n`{about.id}`\n\n{body}"


def _snippets(card: BugCard) -> str:
    """Broken beside right, under what both start from, with what each prints."""
    start = f"{_fenced(card.setup)}\n\n" if card.setup else ""
    sides = "\n\n".join(
        f"<div>\n\n**{name}**\n\n{_fenced(code)}\n\n"
        f'<p class="prints">prints <samp>{html.escape(printed)}</samp></p>\n\n</div>'
        for name, code, printed in (
            ("broken", card.broken, card.printed.broken),
            ("right", card.right, card.printed.right),
        )
    )
    note = f"\n\n{' '.join(card.note.split())}" if card.note else ""
    return f'{start}<div class="beside">\n\n{sides}\n\n</div>{note}'


def _fenced(code: str) -> str:
    return f"```python\n{code.strip()}\n```"


def _prelude() -> str:
    """What every snippet starts from, behind a summary."""
    source = resources.files("kdlib.exercises.museum").joinpath("prelude.py").read_text("utf-8")
    code = re.sub(r'^""".*?"""\n\nfrom __future__ .*?\n|^__all__ = \[.*?^\].*?$\n\n', "", source,
                  flags=re.DOTALL | re.MULTILINE)  # fmt: skip
    doc = (prelude.__doc__ or "").strip()
    return collapsed(doc.rstrip("."), _fenced(re.sub(r"\n{3,}", "\n\n\n", code)), "prelude")


def _read(place: str, links: Links) -> str:
    """A chapter, as a catalogue entry names it: "04_kl_divergence", perhaps with a section."""
    return links.chapter(int(place[:2]))


def exhibits_of(chapters: list[Chapter]) -> dict[str, str]:
    """For each misconception that a chapter has an anchor for, the chapter's page."""
    found = {}
    for chapter in chapters:
        text = re.sub(r"^# ?", "", chapter.source.read_text("utf-8"), flags=re.MULTILINE)
        for id in [*ANCHOR.findall(text), *re.findall(r"^\(([\w-]+)\)=$", text, re.MULTILINE)]:
            if id in misconceptions():
                found[id] = f"{chapter.source.stem}.ipynb"
    return found


def exercises_by_misconception(chapters: list[Chapter]) -> dict[str, list[Exercise]]:
    """For each misconception the exercises, of these chapters, whose checker names it."""
    found = defaultdict(list)
    for exercise in (e for chapter in chapters for e in chapter.exercises):
        for id in named_by(exercise):
            found[id].append(exercise)
    return found


def named_by(exercise: Exercise) -> list[str]:
    """The misconceptions that the author of an exercise has named, each once."""
    ids = [wrong.misconception for wrong in exercise.wrongs]
    if isinstance(exercise, CodeExercise):
        ids += [symptom.wrong.misconception for symptom in exercise.symptoms]
        ids += [probe.points_to for probe in exercise.probes if probe.points_to]
    return list(dict.fromkeys(ids))


@functools.cache
def groups() -> dict[str, list[Misconception]]:
    """The catalogue's entries under the headings that its file has as comments."""
    text = resources.files("kdlib.exercises").joinpath("misconceptions.toml").read_text("utf-8")
    found, entries = {}, []
    for heading, id in re.findall(r"^# ([^\n]+)$(?=\n\n)|^\[([\w-]+)\]$", text, re.MULTILINE):
        if id:
            entries.append(misconceptions()[id])
        else:
            entries = found.setdefault(heading, [])
    return {heading: entries for heading, entries in found.items() if entries}
