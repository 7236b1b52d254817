"""Grade a reader's notebook: run it in a fresh kernel and collect the verdict of every check.

This RUNS the notebook's code, with the rights of whoever grades. A verdict is evidence, no proof:
code that wants to forge one can.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdlib.errors import UserError, first_line
from kdlib.exercises.judging.verdict import CORRECT, NOT_ATTEMPTED, SELF_MARKED
from kdlib.exercises.kinds.base import VERDICT_FILE
from kdlib.exercises.notebooks.solved import MARKER
from kdlib.exercises.registry import exercises

WARNING = (
    "Grading runs the notebook's code on this machine. Grade only what you would run yourself."
)


@dataclass(frozen=True)
class Grade:
    """What came of one notebook.

    verdicts: one dictionary an exercise, the last check counts. problem: why the run fell short.
    refused: whether there was no run, because the file is no notebook.
    """

    notebook: str
    verdicts: tuple[dict[str, Any], ...]
    problem: str = ""
    refused: bool = False

    @property
    def correct(self) -> int:
        """How many answers the program found correct. Written ones are never among them."""
        return sum(verdict["outcome"] == CORRECT for verdict in self.verdicts)

    @property
    def written(self) -> tuple[dict[str, Any], ...]:
        """The verdicts of exercises that the reader answers in sentences, and marks."""
        known = exercises()
        kinds = {id: known[id].kind for v in self.verdicts if (id := v["exercise"]) in known}
        return tuple(v for v in self.verdicts if kinds.get(v["exercise"]) == "written")

    @property
    def self_marked(self) -> int:
        return sum(verdict["outcome"] == SELF_MARKED for verdict in self.verdicts)


def grade(notebook: Path | str, timeout: float = 300.0) -> Grade:
    """Run a notebook (.ipynb, or a percent .py) for at most `timeout` seconds and judge it.

    A cell that fails does not stop the cells after it. An exercise that the notebook marks or
    checks appears once; one that was never checked is "not attempted".
    ValueError for a file that is missing or no notebook.
    """
    path = Path(notebook)
    document = _read(path)
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "verdicts.jsonl"
        with _environment(VERDICT_FILE, str(lines)):
            problem = _run(document, path.parent, timeout)
        verdicts = _last_verdicts(lines)
    asked = dict.fromkeys(
        match[1] for cell in document.cells for match in MARKER.finditer(cell.source)
    )
    for id in asked:
        if id in exercises():
            verdicts.setdefault(id, {"exercise": id, "outcome": NOT_ATTEMPTED})
    return Grade(str(path), tuple(verdicts[id] for id in sorted(verdicts, key=_place)), problem)


def refused(notebook: Path, error: UserError) -> Grade:
    """What came of a file that is not a notebook: no verdict, and why."""
    return Grade(str(notebook), (), str(error), refused=True)


def _read(path: Path) -> Any:
    """The notebook in a file, which may hold anything."""
    import jupytext
    import nbformat

    if not path.exists():
        raise UserError(f"{path} does not exist")
    if not path.is_file():
        raise UserError(f"{path} is not a notebook: it is not a regular file")
    try:
        document = jupytext.read(path)
        nbformat.validate(document)
    except Exception as error:  # jupytext raises many kinds
        raise UserError(f"{path} is not a notebook: {first_line(error)}") from error
    return document


def as_json(grades: list[Grade]) -> str:
    """The grades as a JSON text. A written answer is there as it was written, with its marks."""
    content = [
        {
            "notebook": g.notebook,
            "correct": g.correct,
            "self_marked": g.self_marked,
            "problem": g.problem,
            "verdicts": g.verdicts,
        }
        for g in grades
    ]
    return json.dumps(content, indent=1)


def _run(document: Any, folder: Path, timeout: float) -> str:
    """Execute all cells; returns what went wrong with the run as a whole."""
    from nbclient import NotebookClient
    from nbclient.exceptions import DeadKernelError

    metadata = {"metadata": {"path": str(folder.resolve())}}
    client = NotebookClient(
        document,
        kernel_name="python3",
        allow_errors=True,
        timeout=None,
        resources=metadata,
        # The kernel's own log goes to our standard error: one that is stopped would end it with a
        # traceback. What the notebook's code prints does not go there.
        extra_arguments=["--log-level=CRITICAL"],
    )

    async def execute() -> None:
        await asyncio.wait_for(client.async_execute(), timeout)

    started = time.monotonic()
    try:
        asyncio.run(execute())
    except (
        TimeoutError,
        DeadKernelError,
    ):  # being stopped may look like dying, so the clock decides
        if time.monotonic() - started >= timeout:
            return f"the notebook was stopped after {timeout:g} seconds"
        return "the notebook's code ended its kernel"
    return ""


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _last_verdicts(path: Path) -> dict[str, dict[str, Any]]:
    if not path.exists():
        return {}
    entries = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return {entry["exercise"]: entry for entry in entries}


def _place(id: str) -> tuple[int, str]:
    order = list(exercises())
    return (order.index(id) if id in order else len(order), id)
