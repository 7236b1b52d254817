"""Which chapters there are, what they may take and what they took, and the page that lists them."""

from __future__ import annotations

import json
import re
from pathlib import Path

from kdlib.files import write_atomically

CHAPTERS = Path(__file__).resolve().parent
SECONDS = "seconds.json"
BUDGET, LONGER = 90, {"07": 180}  # seconds a chapter may take on two cores
INDEX = """# Knowledge Distillation, Executed

Each chapter is a notebook that has been run: the numbers in its text stand in its outputs, and the
tests run it again and compare. They answer what the text asks: `make lab` opens copies in `mine/`
that have not been run. Begin with the first.

| chapter | exercises | runs in about |
|---|---|---|
{rows}

A chapter's source is the `.py` file beside its notebook. Edit that one; `python chapters/build.py`
makes the notebooks and this page.
"""


def sources(folder: Path = CHAPTERS) -> list[Path]:
    """The chapters' sources in their order."""
    return sorted(folder.glob("[0-9][0-9]_*.py"))


def budget(source: Path) -> int:
    return LONGER.get(source.name[:2], BUDGET)


def read_seconds(folder: Path) -> dict[str, int]:
    path = folder / SECONDS
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def note_seconds(source: Path, seconds: float) -> None:
    """Record what a build took, and forget chapters that are no more."""
    folder = source.parent
    noted = read_seconds(folder) | {source.stem: max(1, round(seconds))}
    kept = {each.stem: noted[each.stem] for each in sources(folder) if each.stem in noted}
    write_atomically(folder / SECONDS, json.dumps(kept, indent=1) + "\n")


def index(folder: Path) -> str:
    """The text of index.md."""
    return INDEX.format(
        rows="\n".join(_row(source, read_seconds(folder)) for source in sources(folder))
    )


def _row(source: Path, seconds: dict[str, int]) -> str:
    text = source.read_text("utf-8")
    title = re.search(r"^# # (.+)$", text, re.MULTILINE)
    exercises = len(re.findall(r"^# exercise: ", text, re.MULTILINE))
    taken = f"{seconds[source.stem]} s" if source.stem in seconds else ""
    name = title[1] if title else source.stem
    return f"| [{name}]({source.stem}.ipynb) | {exercises or ''} | {taken} |"
