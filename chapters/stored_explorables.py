"""Store what the chapters' own cells show of the figures that a reader moves.

    python chapters/stored_explorables.py           write kdlib/plots/explorables/, and teacher.js
    python chapters/stored_explorables.py --check   say whether they are what the scripts now give

A notebook has no website around it. So each such figure is stored as one page that needs nothing
else, with its scripts and styles in it, and as a picture of its beginning. kdlib shows both.
"""

from __future__ import annotations

import base64
import html
import re
import sys

from contents import sources
from website import temperature
from website.assemble import HERE
from website.explorables import SHOWN, figure, shortened
from website.explorables_data import EXPLORABLES

from kdlib.files import write_atomically
from kdlib.plots.explorable import FOLDER
from kdlib.plots.style import img

STYLES = (
    "static/explorables/explorables.css",
    "static/explorables/instruments.css",
    "frame/frame.css",
)


def names() -> list[str]:
    """The explorables that some chapter's cell shows."""
    texts = (source.read_text("utf-8") for source in sources())
    return sorted({name for text in texts for name in SHOWN.findall(text)})


def page(name: str) -> str:
    """The figure as a page that needs no other file; its description is the picture's."""
    about = EXPLORABLES[name]
    styles = (f"<style>\n{_read(style)}</style>" for style in STYLES)
    scripts = (_read(f"static/explorables/{script}") for script in about.scripts)
    lines = [
        '<!DOCTYPE html><html lang="en" data-theme="light"><head><meta charset="utf-8">',
        f"<title>{about.title}</title>",
        f'<meta name="description" content="{html.escape(about.still().alt)}">',
        *styles,
        f"<script>\n{_read('frame/frame.js')}</script>",
        '</head><body><main class="bd-article">',
        *figure(name),
        "</main>",
        *(f"<script>\n{script}</script>" for script in scripts),
        "</body></html>",
    ]
    return "\n".join(lines) + "\n"


def still(name: str) -> str:
    """The picture as an SVG file, in a grey that is readable on white and on black."""
    found = re.search(r"base64,([^\"]+)", img(EXPLORABLES[name].still()))
    assert found
    return shortened(base64.b64decode(found[1]).decode()) + "\n"


def files() -> dict[str, str]:
    """{file name: text} of all that is stored."""
    pages = {f"{name}.html": page(name) for name in names()}
    return pages | {f"{name}.svg": still(name) for name in names()}


def stale() -> list[str]:
    """What is stored and is not what the scripts and the teacher now give, or is shown by nothing."""
    wanted = {name: text for name, text in files().items() if name.endswith(".html")}
    there = {path.name for path in FOLDER.iterdir()}
    spare = there - {*wanted, *(f"{name}.svg" for name in names())}
    changed = {n for n, text in wanted.items() if n not in there or _stored(n) != text}
    return sorted(spare | changed) + [temperature.STORED.name] * temperature.is_stale()


def _read(name: str) -> str:
    return (HERE / name).read_text("utf-8")


def _stored(name: str) -> str:
    return (FOLDER / name).read_text("utf-8")


def main(arguments: list[str]) -> int:
    if arguments == ["--check"]:
        found = stale()
        print("\n".join(found) or "all are what the scripts give")
        return int(bool(found))
    FOLDER.mkdir(exist_ok=True)
    if temperature.is_stale():
        write_atomically(temperature.STORED, temperature.script())
    for name, text in files().items():
        write_atomically(FOLDER / name, text)
        print(FOLDER / name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
