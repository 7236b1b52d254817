"""How a verdict looks in a notebook: HTML without scripts, in which an answer's text stays text.

Whatever a colour says, a sign and words say too. The text has the page's own colour, so that it can
be read on a light page and on a dark one.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from kdlib.exercises.catalogue import Misconception
from kdlib.exercises.museum.cards import cards

CODE = re.compile(r"(```.*?```|`[^`\n]*`|\$[^$\n]*\$)", re.DOTALL)
PRODUCT = re.compile(r"(?<=[\w)\]])\*(?=[\w(\[])")
AS_WRITTEN = "mathjax_ignore"  # a class: two dollars in an answer are no formula
MUSEUM = "13_the_bug_museum"  # it has an exhibit of a mistake, under its id, or the mistake a card
FRAME = (
    "border:1px solid var(--jp-border-color1,#8c8c8c);border-radius:3px;margin:.4em 0;"
    "max-width:50em;overflow-wrap:anywhere;"
)
LIST = "display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.2em .8em;margin:.4em 0 0"
PLACED = "float:none;width:auto;margin:0;padding:0;"  # as here, whatever Jupyter's own style says
TERM = f"{PLACED}font-weight:bold"
TEXT = f"{PLACED}white-space:pre-wrap"


class Linked(str):
    """A text that has links or code in a notebook: `html` is the same with these."""

    html: str

    def __new__(cls, text: str, html: str) -> Linked:
        made = super().__new__(cls, text)
        made.html = html
        return made


def prose(text: str) -> str:
    """A text of an exercise as Markdown. In a formula such as a*b*c, stars are no emphasis."""
    pieces = CODE.split(text)
    pieces[::2] = [PRODUCT.sub(r"\\*", piece) for piece in pieces[::2]]
    return "".join(pieces)


def inline(text: str) -> str:
    """A text as HTML that shows every character of it; what stands in backquotes is code."""
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", html.escape(text))


def box(label: str, head: str, colour: str, body: str = "") -> str:
    """A verdict in its frame. label: what a screen reader calls it."""
    style = f"{FRAME}border-left:6px solid {colour};padding:.5em .9em"
    return (
        f'<div role="group" aria-label="{html.escape(label)}" style="{style}">'
        f"<strong>{inline(head)}</strong>{body}</div>"
    )


def table(rows: Iterable[tuple[str, str]], written: Iterable[str] = ()) -> str:
    """Labels and texts in two columns. written: the labels of what the reader has written."""
    items = "".join(
        f'<dt style="{TERM}">{label}:</dt>{_shown(text, label in written)}' for label, text in rows
    )
    return f'<dl style="{LIST}">{items}</dl>' if items else ""


def beside(written: tuple[str, str], ours: tuple[str, str]) -> str:
    """Two labels and texts, the reader's and ours, beside each other where there is room."""
    items = "".join(
        f'<dl style="flex:1 1 18em;min-width:0;margin:0"><dt style="{TERM}">{label}:</dt>'
        f"{_shown(text, as_written)}</dl>"
        for (label, text), as_written in ((written, True), (ours, False))
    )
    return f'<div style="display:flex;flex-wrap:wrap;gap:.5em 2em;margin:.4em 0">{items}</div>'


def _shown(text: str, as_written: bool) -> str:
    if isinstance(text, Linked):
        return f'<dd style="{TEXT}">{text.html}</dd>'
    if as_written:
        return f'<dd class="{AS_WRITTEN}" style="{TEXT}">{html.escape(text)}</dd>'
    return f'<dd style="{TEXT}">{inline(text)}</dd>'


def call(code: str) -> Linked:
    """A line of code that the reader may run."""
    return Linked(code, f"<code>{html.escape(code)}</code>")


def reading(about: Misconception) -> Linked:
    """Where to read about a mistake: its chapters, its exhibit or card in the museum, its entry.

    The entry and the card say what to do. Whoever wants to think first is not told here.
    """
    has_card = about.id in cards()
    entry = call(f'{"bug" if has_card else "misconception"}("{about.id}")')
    links = [_link(place, _chapter(place)) for place in about.read if place != MUSEUM]
    if has_card:
        links.append(_link(f"{MUSEUM}#cards", "its card", about.id))
    else:
        links.append(_link(f"{MUSEUM}#{about.id}", f"the exhibit in {_chapter(MUSEUM)}"))
    return Linked(
        f"{', '.join(about.read)}, or {entry}",
        f"{', '.join(links)}, or {entry.html}",
    )


def _link(place: str, text: str, card: str = "") -> str:
    """To a chapter's notebook, which lies beside this one, and perhaps to a heading in it.

    card: of a mistake. The website has a page of cards, and turns the link to the right one.
    """
    stem, mark, heading = place.partition("#")
    meant = f' data-card="{card}"' if card else ""
    return f'<a href="{stem}.ipynb{mark}{heading}"{meant}>{text}</a>'


def _chapter(place: str) -> str:
    return f"chapter {int(place[:2])}"
