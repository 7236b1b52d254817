"""Figures that a reader moves, as a notebook shows them: a page in a frame, a picture without scripts.

The pages are stored in `explorables/`, each with all that it needs; a notebook asks nobody for
anything and needs no widgets. ``python chapters/stored_explorables.py`` makes them of the website's
scripts.
"""

from __future__ import annotations

import base64
import html
import re
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("explorables")

# Where scripts may not run (a notebook that is not trusted, a code host, a printout), this handler
# and the frame are taken out or do nothing, and the picture stays.
SWAP = (
    "const frame = this.nextElementSibling; if (frame) { this.style.display = 'none';"
    " frame.style.display = 'block'; }"
)


class Explorable:
    """A figure that a reader moves.

    Args:
        page: the page with the figure, its styles and its scripts.
        still: its beginning as an SVG.

    Attributes:
        title: its name.
        alt: what the picture shows, in words.
    """

    def __init__(self, page: str, still: str) -> None:
        self._page, self._still = page, still
        self.title = _between("<title>", "</title>", page)
        self.alt = _between('name="description" content="', '"', page)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self._html(), "text/plain": f"{self.title}. {self.alt}"}

    def _html(self) -> str:
        """The picture, and the frame that takes its place where scripts run."""
        data = base64.b64encode(self._still.encode()).decode("ascii")
        # On one line, so that another page is one changed line of a notebook.
        page = html.escape(self._page).replace("\n", "&#10;")
        return (
            f'<div class="explorable-frame"><img alt="{html.escape(self.alt)}" '
            f'style="max-width:100%" onload="{html.escape(SWAP)}" '
            f'src="data:image/svg+xml;base64,{data}">'
            f'<iframe title="{html.escape(self.title)}" srcdoc="{page}" '
            'style="display:none;width:100%;height:700px;border:0"></iframe></div>'
        )


def explorable(name: str) -> Explorable:
    """A figure that a reader moves by pointer or keys.

    Args:
        name: of the figure, such as "lambda_map".

    Returns:
        An object that a notebook displays.

    Raises:
        ValueError: for an unknown name.
    """
    known = sorted(path.stem for path in FOLDER.glob("*.html"))
    if name not in known:
        raise ValueError(f"name is {name!r}; it must be one of {', '.join(known)}")
    page, still = (FOLDER / f"{name}.{kind}" for kind in ("html", "svg"))
    return Explorable(page.read_text("utf-8"), still.read_text("utf-8"))


def _between(before: str, after: str, text: str) -> str:
    """The first text between these two, as it is read."""
    found = re.search(f"{re.escape(before)}(.*?){re.escape(after)}", text, re.DOTALL)
    if not found:
        raise ValueError(f"the page has no {before}")
    return html.unescape(found[1])
