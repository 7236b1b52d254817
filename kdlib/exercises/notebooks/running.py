"""Run the cells of a notebook in a fresh kernel, and keep what its checks wrote.

This RUNS the notebook's code, with the rights of whoever grades. Several kernels may run at once,
each watched by a thread. A cell that never ends is interrupted, a cell that ends its kernel is left
out of a second run: neither costs the answers in other cells.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kdlib.errors import first_line
from kdlib.exercises import progress
from kdlib.exercises.kinds.base import VERDICT_FILE
from kdlib.exercises.notebooks.submissions import Cell

SHARE = 5  # an endless cell gets this fraction of the notebook's time, so that others get a turn
KERNELS = 3  # that a notebook may end, one after another
LARGEST = 16_000_000  # bytes of verdicts that are read
QUIET = logging.getLogger("kdlib.grade")
QUIET.addHandler(logging.NullHandler())
QUIET.propagate = False


@dataclass
class Run:
    """What came of running cells.

    lines: what the checks wrote. errors: by the cell's number, what it raised, or how it ended.
    problem: how the notebook fell short: "was stopped after 300 seconds"; or "".
    """

    lines: str = ""
    errors: dict[int, str] = field(default_factory=dict)
    problem: str = ""


def run_all(
    jobs: list[tuple[tuple[Cell, ...], Path]],
    timeout: float,
    kernels: int,
    done: Callable[[int], None] = lambda number: None,
) -> list[Run]:
    """Run each job, cells and the folder they run in, for at most `timeout` seconds.

    kernels: how many run at once. done: is called with a job's number when it has ended.
    """
    watch = _Watch()

    def one(number: int) -> Run:
        run = _run(*jobs[number], timeout, watch)
        done(number)
        return run

    pool = ThreadPoolExecutor(max_workers=max(1, kernels), thread_name_prefix="kernel")
    try:
        return list(pool.map(one, range(len(jobs))))
    finally:  # after Ctrl-C too: no kernel is left behind
        watch.stop()
        pool.shutdown(cancel_futures=True)


class _Watch:
    """The runs in progress, so that all can be stopped from outside their threads."""

    def __init__(self) -> None:
        self.stopped = False
        self.tasks: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = []

    async def over(self, work: Any, timeout: float) -> None:
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
        self.tasks.append((loop, task))
        if self.stopped:
            task.cancel()
        try:
            await asyncio.wait_for(task, timeout)
        finally:
            self.tasks.remove((loop, task))

    def stop(self) -> None:
        self.stopped = True
        for loop, task in list(self.tasks):
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                loop.call_soon_threadsafe(task.cancel)


def _run(cells: tuple[Cell, ...], folder: Path, timeout: float, watch: _Watch) -> Run:
    """Run the cells; without those that end the kernel, once more."""
    if not cells:
        return Run()
    deadline = time.monotonic() + timeout
    ended: dict[int, str] = {}
    while True:
        rest = tuple(cell for cell in cells if cell.number not in ended)
        run, culprit = _run_once(rest, folder, timeout, deadline, watch)
        if culprit is None:
            break
        ended[culprit] = "it ended the kernel"
        if len(ended) in (KERNELS, len(cells)):
            break
    run.errors |= ended
    if ended:
        numbers = ", ".join(map(str, ended))
        others = "" if culprit is not None else "; the others ran without it"
        run.problem = f"ended its kernel in cell {numbers}{others}"
    return run


def _run_once(
    cells: tuple[Cell, ...], folder: Path, timeout: float, deadline: float, watch: _Watch
) -> tuple[Run, int | None]:
    """One kernel's work, and the cell that ended it, if one did."""
    document, begun = _document(cells), [0]
    with tempfile.TemporaryDirectory(prefix="kdlib-grade-") as place:
        lines = Path(place) / "verdicts.jsonl"
        client = _client(document, folder, timeout, begun.append)
        work = client.async_execute(env=_environment(lines), **_silent())
        problem, has_died = _outcome(work, timeout, deadline, watch)
        run = Run(_text(lines), _errors(cells, document, timeout), problem)
    last = begun[-1]
    if problem:
        run.errors[cells[last].number] = "it was stopped"
        run.errors |= {cell.number: "it was not reached" for cell in cells[last + 1 :]}
    return run, cells[last].number if has_died else None


def _document(cells: tuple[Cell, ...]) -> Any:
    import nbformat

    v4: Any = nbformat.v4  # without types
    made = [v4.new_code_cell(cell.source, metadata={"checks": cell.checks}) for cell in cells]
    return v4.new_notebook(cells=made)


def _outcome(work: Any, timeout: float, deadline: float, watch: _Watch) -> tuple[str, bool]:
    """Wait for a kernel: why it fell short, or "", and whether its own code ended it."""
    from nbclient.exceptions import DeadKernelError

    stopped = f"was stopped after {timeout:g} seconds"
    try:
        asyncio.run(watch.over(work, max(0.1, deadline - time.monotonic())))
    except TimeoutError:
        return stopped, False
    except DeadKernelError:  # being stopped may look like dying, so the clock decides
        if watch.stopped:
            return "was stopped with the grading", False
        if time.monotonic() >= deadline:
            return stopped, False
        return "ended its kernel", True
    except Exception as error:  # of nbclient, jupyter_client, zmq: no other notebook's matter
        return f"could not be run: {first_line(error)}", False
    return "", False


def _client(document: Any, folder: Path, timeout: float, begin: Callable[[int], None]) -> Any:
    from nbclient import NotebookClient

    class Client(NotebookClient):
        """Keeps the errors alone: what a cell prints may fill the memory."""

        def output(self, outs: Any, msg: Any, display_id: Any, cell_index: Any) -> Any:
            if msg["msg_type"] == "error":
                return super().output(outs, msg, display_id, cell_index)
            return None

    return Client(
        document,
        kernel_name="python3",
        allow_errors=True,
        timeout_func=lambda cell: _turn(timeout) if cell.metadata["checks"] else None,
        interrupt_on_timeout=True,
        record_timing=False,
        resources={"metadata": {"path": str(folder.resolve())}},
        on_cell_execute=lambda cell, cell_index: begin(cell_index),
        log=QUIET,
    )


def _turn(timeout: float) -> int:
    """Seconds that a cell with a check may take."""
    return max(1, int(timeout / SHARE))


def _environment(lines: Path) -> dict[str, str]:
    """Several kernels share the processors, so each has one thread; no progress is kept."""
    own = {VERDICT_FILE: str(lines), progress.FOLDER: "off", "OMP_NUM_THREADS": "1"}
    return os.environ | own


def _silent() -> dict[str, Any]:
    """The kernel's own remarks on its transport are nobody's. Code prints elsewhere."""
    return {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def _text(lines: Path) -> str:
    """What the checks wrote; the notebook's code may have put anything in its place."""
    if not lines.is_file() or lines.is_symlink():
        return ""
    with open(lines, "rb") as file:
        return file.read(LARGEST).decode("utf-8", errors="replace")


def _errors(cells: Iterable[Cell], document: Any, timeout: float) -> dict[int, str]:
    found = {}
    for cell, ran in zip(cells, document.cells):
        for output in ran.outputs:
            if output.output_type == "error":
                found[cell.number] = _said(output, timeout)
    return found


def _said(error: Any, timeout: float) -> str:
    if error.ename == "KeyboardInterrupt":
        return f"it was stopped after {_turn(timeout)} seconds"
    text = " ".join(str(error.evalue).split())
    return f"{error.ename}: {text}" if text else str(error.ename)
