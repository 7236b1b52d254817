"""Behind every conclusion of a chapter stands a test of its rival.

Every sentence of every bullet of the summary must be named by a `@headline(...)` of
rivals/test_chapter_NN*.py, alone or with its neighbours, and every sentence that is named there must
stand in the chapter. White space and emphasis are not compared. What the tests assert, the tests say.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gates.chapter import Chapter

RIVALS = Path(__file__).parents[1] / "rivals"
HELD = range(0, 14)  # the chapters that are held to it


class Headline(NamedTuple):
    """A decorator of a test, as it is written."""

    chapter: int
    sentence: str
    test: str
    says_rival: bool


def faults(chapter: Chapter, folder: Path | None = None) -> list[str]:
    if chapter.number not in HELD:
        return []
    files = sorted((folder or RIVALS).glob(f"test_chapter_{chapter.number:02}*.py"))
    named = [each for file in files for each in headlines(file)]
    text = flat(_prose(chapter))
    missing = [] if _sentences(chapter) else ["it has no summary"]
    return [
        *missing,
        *(f"no rival stands behind {s!r}" for s in _sentences(chapter) if not _covered(s, named)),
        *(
            f"{each.test} names what the chapter does not say: {each.sentence!r}"
            for each in named
            if flat(each.sentence) not in text
        ),
        *(
            f"{each.test} is not of this chapter"
            for each in named
            if each.chapter != chapter.number
        ),
        *(f'{each.test} has no """Rival: ..."""' for each in named if not each.says_rival),
    ]


def headlines(path: Path) -> list[Headline]:
    """All that the file's tests name, in its order."""
    functions = [
        n for n in ast.parse(path.read_text("utf-8")).body if isinstance(n, ast.FunctionDef)
    ]
    return [
        Headline(*map(ast.literal_eval, call.args), function.name, _says_rival(function))
        for function in functions
        if function.name.startswith("test_")  # another would not run
        for call in function.decorator_list
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "headline"
    ]


def bullets(chapter: Chapter) -> Iterator[str]:
    """What the summary lists, before anything with a title of its own."""
    summary = re.search(
        r"^## Summary\n(.*?)(?=^\*\*|^##|\Z)", _prose(chapter), re.MULTILINE | re.DOTALL
    )
    items = re.findall(r"^[-*] (.+(?:\n[ \t]+.+)*)", summary[1], re.MULTILINE) if summary else []
    yield from map(flat, items)


def flat(text: str) -> str:
    """On one line, without emphasis."""
    return " ".join(re.sub(r"\*+|(?<!\w)_|_(?!\w)", "", text).split())


def _prose(chapter: Chapter) -> str:
    return "\n\n".join(c.source for c in chapter.notebook.cells if c.cell_type == "markdown")


def _sentences(chapter: Chapter) -> list[str]:
    return [s for bullet in bullets(chapter) for s in re.split(r"(?<=[.!?])\s+(?=[A-Z$`])", bullet)]


def _covered(sentence: str, named: list[Headline]) -> bool:
    return any(sentence in flat(each.sentence) for each in named)


def _says_rival(function: ast.FunctionDef) -> bool:
    return (ast.get_docstring(function) or "").startswith("Rival: ")
