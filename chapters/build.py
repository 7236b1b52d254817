"""Run the chapters' sources and write the notebooks that readers open.

    python chapters/build.py             every chapter
    python chapters/build.py 3 07        these chapters
    python chapters/build.py --check     build nothing; say which notebook is not its source's

A chapter is a pair: NN_name.py, the source that people edit (jupytext's percent format), and
NN_name.ipynb, made from it here and nowhere else. The source runs in a fresh kernel from its first
cell to its last; then the notebook takes its name at once, so that a failure leaves the old one as
it was. A cell that fails or writes to stderr stops the build, and so does a chapter that takes
longer than its budget. The same source gives the same bytes: no times, no version numbers, ids
made from the cells' text; what answers a prediction is tagged (see predictions.py). What the builds
took stands in seconds.json, and from it and the chapters' titles index.md is made.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import jupytext
import nbformat
from contents import CHAPTERS, budget, index, note_seconds, sources
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from predictions import tag

from kdlib.files import write_atomically

# What a kernel that runs a chapter gets, here and in the tests: a reader's progress is not touched,
# and one thread, since matrices this small only lose by being shared out.
ENVIRONMENT = {
    "KDLIB_PROGRESS_DIR": "off",
    "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
}
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
START = 300  # seconds a kernel may take to start; only a busy machine needs more than a few


class BuildError(Exception):
    """A chapter that cannot be built; the message names chapter, cell and reason."""


# ---------------------------------------------------------------- building


def build(
    source: Path, say: Callable[[str], None] = lambda text: None, limit: int | None = None
) -> float:
    """Run one chapter and write its notebook; returns the seconds it took.

    BuildError where that is more than `limit` seconds.
    """
    notebook = read_source(source)
    started = time.monotonic()
    run(notebook, source, say, limit)
    seconds = time.monotonic() - started
    if limit is not None and seconds > limit:
        raise BuildError(f"{source.stem}: took {seconds:.0f} s; its budget is {limit} s")
    write_atomically(source.with_suffix(".ipynb"), written(notebook))
    return seconds


def read_source(source: Path) -> NotebookNode:
    """The source as a notebook that has not run: what two builds share, and no more."""
    notebook = jupytext.reads(source.read_text("utf-8"), fmt="py:percent")
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    seen = Counter()
    for cell in notebook.cells:
        seen[cell.cell_type, cell.source] += 1
        identity = f"{cell.cell_type}\n{seen[cell.cell_type, cell.source]}\n{cell.source}"
        cell.id = hashlib.sha256(identity.encode()).hexdigest()[:12]
    return notebook


def run(
    notebook: NotebookNode,
    source: Path,
    say: Callable[[str], None] = lambda text: None,
    limit: int | None = None,
    environment: dict[str, str] = ENVIRONMENT,
) -> None:
    """Run all cells in a fresh kernel beside the source. BuildError where one fails.

    limit: seconds that a cell may take.
    """
    names = cell_names(notebook, source)
    begun = [source.stem]

    def begin(cell: NotebookNode, cell_index: int) -> None:
        begun.append(names[cell_index])
        say(begun[-1])

    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=limit,
        startup_timeout=START,
        record_timing=False,
        resources={"metadata": {"path": str(source.parent)}},
        on_cell_execute=begin,
    )
    try:
        # A kernel's own remarks about its transport are no part of the chapter.
        client.execute(env=os.environ | environment, stderr=subprocess.DEVNULL)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        raise BuildError(f"{begun[-1]}: {_reason(error, limit)}") from None
    notebook.metadata = nbformat.from_dict(METADATA)  # the kernel has added its version
    for place, name in names.items():
        notebook.cells[place].outputs = merged(notebook.cells[place].outputs)
        for output in notebook.cells[place].outputs:
            if output.get("name") == "stderr":
                raise BuildError(f"{name}: it writes to stderr:\n{plain(output.text)}")
    tag(notebook.cells)


def cell_names(notebook: NotebookNode, source: Path) -> dict[int, str]:
    """For each code cell, by its place in the notebook, what to call it."""
    code = [place for place, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    return {
        place: f"{source.stem}, cell {number} of {len(code)}"
        for number, place in enumerate(code, start=1)
    }


def _reason(error: Exception, limit: int | None) -> str:
    if isinstance(error, CellExecutionError):
        return f"{error.ename}: {error.evalue}\n\n{plain(error.traceback)}"
    if isinstance(error, CellTimeoutError):
        return f"runs for more than {limit} s, the budget of the whole chapter"
    return "it ended its kernel"


def merged(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Neighbouring pieces of one stream as one: where a kernel cuts its text is chance."""
    whole: list[NotebookNode] = []
    for output in outputs:
        name = output.get("name")
        if whole and output.output_type == "stream" and whole[-1].get("name") == name:
            whole[-1].text += output.text
        else:
            whole.append(output)
    return whole


def written(notebook: NotebookNode) -> str:
    """The notebook as the text of its file."""
    return nbformat.writes(notebook, version=nbformat.NO_CONVERT).rstrip("\n") + "\n"


def plain(text: str) -> str:
    """Without a terminal's colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


# ---------------------------------------------------------------- checking


def faults(source: Path) -> list[str]:
    """What keeps a notebook from being the one that its source gives; one line a fault."""
    path = source.with_suffix(".ipynb")
    if not path.exists():
        return [f"{source.stem}: has no notebook"]
    text = path.read_text("utf-8")
    notebook = nbformat.reads(text, as_version=nbformat.NO_CONVERT)
    expected = with_results(read_source(source), notebook)
    found = [*_cell_faults(expected, notebook), *_order_faults(notebook)]
    if not found and written(expected) != text:
        found = ["is not in the form that the builder writes"]
    return [f"{source.stem}: {fault}" for fault in found]


def _cell_faults(expected: NotebookNode, notebook: NotebookNode) -> list[str]:
    if len(expected.cells) != len(notebook.cells):
        return [f"has {len(notebook.cells)} cells, its source {len(expected.cells)}"]
    return [
        f"cell {number} differs from its source: {theirs.source.partition(chr(10))[0]!r}"
        for number, (ours, theirs) in enumerate(zip(expected.cells, notebook.cells), start=1)
        if (ours.cell_type, ours.source, ours.metadata)
        != (theirs.cell_type, theirs.source, theirs.metadata)
    ]


def _order_faults(notebook: NotebookNode) -> list[str]:
    found = []
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number, cell in enumerate(code, start=1):
        if cell.execution_count is None:
            found.append(f"code cell {number} has not run")
        elif cell.execution_count != number:
            found.append(f"code cell {number} ran as number {cell.execution_count}")
        if any(output.output_type == "error" for output in cell.outputs):
            found.append(f"code cell {number} holds an error")
    return found


def with_results(source: NotebookNode, notebook: NotebookNode) -> NotebookNode:
    """The source with the notebook's results, and the tags that follow from them."""
    for ours, theirs in zip(source.cells, notebook.cells):
        if ours.cell_type == theirs.cell_type == "code":
            ours.outputs, ours.execution_count = merged(theirs.outputs), theirs.execution_count
    tag(source.cells)
    return source


def all_faults(folder: Path) -> list[str]:
    found = [fault for source in sources(folder) for fault in faults(source)]
    lonely = {path.stem for path in folder.glob("*.ipynb")} - {s.stem for s in sources(folder)}
    found += [f"{stem}: has no source" for stem in sorted(lonely)]
    page = folder / "index.md"
    if not page.exists() or page.read_text("utf-8") != index(folder):
        found.append("index.md: does not name the chapters as they are")
    return found


# ---------------------------------------------------------------- command line


def chosen(folder: Path, numbers: list[str]) -> list[Path]:
    """The sources with these numbers, or all. BuildError for a number that there is not."""
    if not numbers:
        return sources(folder)
    by_number = {source.name[:2]: source for source in sources(folder)}
    if unknown := [number for number in numbers if number.zfill(2) not in by_number]:
        raise BuildError(f"no chapter {', '.join(unknown)}; there are {', '.join(by_number)}")
    return [by_number[number.zfill(2)] for number in numbers]


def _say(text: str) -> None:
    """A line that the next one replaces; nothing where no one looks."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None, folder: Path = CHAPTERS) -> int:
    parser = argparse.ArgumentParser(
        prog="build.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("chapter", nargs="*", help="a chapter's number; without any, all")
    parser.add_argument(
        "--check", action="store_true", help="compare pairs only; exit code 1 if one is at fault"
    )
    parser.add_argument(
        "--untimed", action="store_true", help="on a busy machine: no time limit, none recorded"
    )
    options = parser.parse_args(arguments)
    if options.check:
        found = all_faults(folder)
        print("\n".join(found) or f"{len(sources(folder))} chapters, each as its source gives it")
        return 1 if found else 0
    try:
        for source in chosen(folder, options.chapter):
            seconds = build(source, _say, None if options.untimed else budget(source))
            if not options.untimed:
                note_seconds(source, seconds)
            write_atomically(folder / "index.md", index(folder))
            _say("")
            print(f"{source.stem}: {seconds:.0f} s")
    except BuildError as error:
        _say("")
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
