"""How `pytest --nbval` runs the chapters: once, and held to everything in that one run.

nbval runs each cell as it stands and compares what it prints with what the notebook holds. Here its
kernels are those of the builder, with three differences. They cannot leave the machine. Their clocks
are unsteady, so that nothing a chapter asserts can rest on a time. And when the cell of an exercise
has run, with its stub, the reference solution runs after it: its check must say "correct" (of a
written answer: that every point is made), and the cells that follow see the solution, as they would
in the notebook of a reader who has solved it.
"""

import copy
import json
import shutil
import tempfile
from pathlib import Path

import matplotlib.font_manager  # noqa: F401  the first to look for fonts is told so on stderr
import pytest
from build import ENVIRONMENT, START

from kdlib.exercises import exercise, marked_cells
from kdlib.exercises.kinds.base import VERDICT_FILE

HERE = Path(__file__).parent
FOR_EVER = 1800  # seconds: a cell that takes so long never ends; a busy machine takes minutes
OFFLINE, CLOCK = (HERE.parent / "tests" / name for name in ("offline", "unsteady_clock.py"))


def pytest_configure(config):
    config.option.nbval_sanitize_with = str(HERE / "sanitize.cfg")
    config.option.nbval_current_env = True
    config.option.nbval_kernel_startup_timeout = START
    config.option.nbval_cell_timeout = FOR_EVER


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.suffix == ".ipynb":
            item.output_timeout = 60  # seconds; nbval's own 5 are not enough for a busy machine
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    """The first cell of a notebook starts its kernel here."""
    if item.path.suffix != ".ipynb":
        return (yield)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _environment(item).items():
            patch.setenv(name, value)
        return (yield)


def _environment(item):
    """Of a notebook's kernel; `verdicts.jsonl` in its folder gets a line from every check."""
    notebook = item.parent
    if not hasattr(notebook, "scratch"):
        scratch = tempfile.TemporaryDirectory(prefix="kdlib-kernel-")
        item.config.add_cleanup(scratch.cleanup)
        notebook.scratch = Path(scratch.name)
        # What stands in this folder of its profile, a kernel runs before the first cell.
        startup = notebook.scratch / "profile_default" / "startup"
        startup.mkdir(parents=True)
        shutil.copy(CLOCK, startup)
    return ENVIRONMENT | {
        "PYTHONPATH": str(OFFLINE),
        "IPYTHONDIR": str(notebook.scratch),
        VERDICT_FILE: str(notebook.scratch / "verdicts.jsonl"),
    }


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """The cell with its stub, as nbval compares it; then, of an exercise, the solution."""
    result = yield
    if item.path.suffix == ".ipynb":
        for id in marked_cells(f"# %%\n{item.cell.source}"):
            _run_solution(item, id)
    return result


def _run_solution(item, id):
    cell = copy.deepcopy(item.cell)
    cell.source = exercise(id).cell(solved=True)
    solved = type(item).from_parent(
        item.parent, name=f"{item.name} solved", cell_num=item.cell_num, cell=cell,
        options=item.options | {"check": False},
    )  # fmt: skip
    solved.output_timeout = item.output_timeout
    solved.runtest()  # raises where the cell does
    lines = (item.parent.scratch / "verdicts.jsonl").read_text("utf-8").splitlines()
    verdict = json.loads(lines[-1])
    points = verdict.get("points", {"made": 0, "of": 0})  # only a written answer has some
    is_done = verdict["outcome"] == exercise(id).done and points["made"] == points["of"]
    if verdict["exercise"] != id or not is_done:
        solved.raise_cell_error(f"the reference solution of {id} is judged: {verdict}")
