"""The folder that Sphinx reads: the chapters as pages, and the pages that are made of data.

Everything here is written into the build folder; the chapters' own folder is only read.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import nbformat
from build import read_source, written
from contents import CHAPTERS, read_seconds, sources

from kdlib.files import write_atomically
from website import (
    api,
    book_data,
    challenge,
    example_report,
    exercises_page,
    glossary,
    judge,
    landing,
    llms,
    misconceptions,
    models_files,
    models_page,
    notation,
)
from website.chapter import NOTEBOOKS, Chapter, page
from website.links import Links, links_of

HERE = Path(__file__).parent
PROJECT = CHAPTERS.parent
TESTED = ("torch", "transformers", "numpy")  # what "tested with" names


def assemble(folder: Path, chapters: Path = CHAPTERS) -> None:
    """Write the sources of the website into `folder`."""
    found = chapters_of(chapters)
    links = links_of(chapter.source for chapter in found)
    versions = tested_with((PROJECT / "constraints.txt").read_text("utf-8"))
    wanted = {f"{c.source.stem}.ipynb": nbformat.writes(page(c, links, versions)) for c in found}
    wanted |= pages(found, links) | api.pages()
    wanted[f"{models_page.NAME}.md"] = models_page.page(links)
    wanted["conf.py"] = (chapters / "conf.py").read_text("utf-8")
    _write(folder, wanted)
    _copy_files(folder, found)


def chapters_of(folder: Path) -> list[Chapter]:
    """The chapters that have been built, in their order."""
    seconds = read_seconds(folder)
    built = [s for s in sources(folder) if s.with_suffix(".ipynb").exists()]
    return [Chapter(source, seconds.get(source.stem)) for source in built]


def pages(chapters: list[Chapter], links: Links) -> dict[str, str]:
    """{name: Markdown} of the pages beside the chapters."""
    return {
        "index.md": landing.page(chapters, (PROJECT / "README.md").read_text("utf-8")),
        "notation.md": notation.page(chapters[0], links),
        "glossary.md": glossary.page(links),
        "misconceptions.md": misconceptions.page(chapters, links),
        f"{challenge.NAME}.md": challenge.page(),
        "exercises.md": exercises_page.page(chapters),
    }


def tested_with(constraints: str) -> str:
    """The tested versions of the libraries that matter most, out of constraints.txt."""
    versions = dict(re.findall(r"^(\S+?)==(\S+)$", constraints, re.MULTILINE))
    return ", ".join(f"{name} {versions[name]}" for name in TESTED)


def _write(folder: Path, wanted: dict[str, str]) -> None:
    """Exactly these texts; what has not changed stays, so that Sphinx reads only what is new."""
    for path in [*folder.rglob("*.ipynb"), *folder.rglob("*.md"), *folder.rglob("*.rst")]:
        if str(path.relative_to(folder)) not in wanted:
            path.unlink()
    for name, text in wanted.items():
        path = folder / name
        if not path.exists() or path.read_text("utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, text)


def _copy_files(folder: Path, chapters: list[Chapter]) -> None:
    """Styles, scripts, and the notebooks for readers to take away: not run, so without answers."""
    static, extra = folder / "_static", folder / "_extra" / NOTEBOOKS
    shutil.rmtree(extra, ignore_errors=True)
    extra.mkdir(parents=True)
    shutil.copytree(HERE / "static", static, dirs_exist_ok=True)
    (static / judge.RULES).write_text(judge.script(), "utf-8")
    (static / book_data.NAME).write_text(book_data.script(chapters), "utf-8")
    models_files.write(static / "models" / "weights")
    asked = landing.questions((PROJECT / "README.md").read_text("utf-8"))
    example = extra.parent / example_report.NAME
    example.parent.mkdir(exist_ok=True)
    example.write_text(example_report.page(), "utf-8")
    (extra.parent / llms.NAME).write_text(llms.text(chapters, asked), "utf-8")
    for chapter in chapters:
        clean = written(read_source(chapter.source))
        (extra / f"{chapter.source.stem}.ipynb").write_text(clean, "utf-8")
