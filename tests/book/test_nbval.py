"""What running the notebooks again sees, and what it lets pass: the suite's own options, on copies."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kdlib.exercises import chapters

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


def without_output(path):
    notebook = json.loads(path.read_text("utf-8"))
    notebook["cells"][-1]["outputs"] = []
    path.write_text(json.dumps(notebook), "utf-8")


def replace(path, old, new):
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def other_pixels(path):
    """As if another version of matplotlib had drawn all pictures."""
    found = re.compile(r"data:image/svg\+xml;base64,[A-Za-z0-9+/=]+")
    text, pictures = found.subn("data:image/svg+xml;base64,AAAA", path.read_text("utf-8"))
    assert pictures == 3
    path.write_text(text, "utf-8")


def with_cells(path, *sources):
    """With these cells behind its own, as if they had run and had said nothing."""
    notebook = json.loads(path.read_text("utf-8"))
    last = notebook["cells"][-1]
    for number, source in enumerate(sources, start=last["execution_count"] + 1):
        cell = {"source": source, "outputs": [], "execution_count": number, "id": f"more-{number}"}
        notebook["cells"].append(last | cell)
    path.write_text(json.dumps(notebook), "utf-8")


WORK = """import time

def seconds():
    start = time.process_time()
    sum(range(300_000))
    return time.process_time() - start

taken = [seconds() for _ in range(8)]"""
STEADY = "assert max(taken) < 2 * min(taken)"
FIRST, SECOND = [each for each in chapters()[1] if each.kind == "code"][:2]
IMPORTS = "import math\nimport torch\nfrom kdlib.exercises import exercise"


def resting_on_a_clock(path):
    with_cells(path, WORK, STEADY)


def with_two_exercises(path):
    """Of the second one the reference is spoilt, see SPOILT_REFERENCE. What their checks show with
    the stub is compared too, so it is stored."""
    cells = [each.cell() for each in (FIRST, SECOND)]
    with_cells(path, IMPORTS, *cells)
    notebook = json.loads(path.read_text("utf-8"))
    for cell, each in zip(notebook["cells"][-2:], (FIRST, SECOND)):
        shown = each.judge(each.stub_answer)
        data = {"text/html": shown._repr_html_(), "text/plain": repr(shown)}
        result = {"output_type": "execute_result", "metadata": {}, "data": data}
        cell["outputs"] = [result | {"execution_count": cell["execution_count"]}]
    path.write_text(json.dumps(notebook), "utf-8")


SPOILT_REFERENCE = f"""
from kdlib.exercises import exercise
exercise({SECOND.id!r}).__class__.cell = (
    lambda self, solved=False, real=exercise({SECOND.id!r}).__class__.cell:
    real(self, solved=solved and self.id != {SECOND.id!r})
)
"""


def asking_for_network(path):
    """Passes where the kernel itself refuses."""
    notebook = json.loads(path.read_text("utf-8"))
    notebook["cells"][-1]["source"] = NETWORK
    notebook["cells"][-1]["outputs"][0]["text"] = "True\n"
    path.write_text(json.dumps(notebook), "utf-8")


NETWORK = """import socket
try:
    socket.create_connection(("192.0.2.1", 80), timeout=0.1)
except OSError as error:
    print("no network in tests" in str(error))"""
SPOILT = {
    "10_untouched": (lambda path: None, set()),
    "11_other_pixels": (other_pixels, set()),
    "12_other_number": (lambda path: replace(path, "0.287", "0.286"), {0}),
    "13_other_alt": (lambda path: replace(path, '"One point."', '"Two."'), {2}),
    "14_other_frame": (lambda path: replace(path, "size small: One.", "size small: Two."), {3}),
    "15_other_page": (lambda path: replace(path, "size large</fig", "size huge</fig"), {3}),
    "16_lost_output": (without_output, {5}),
    "17_asks_for_network": (asking_for_network, set()),
    "18_rests_on_a_clock": (resting_on_a_clock, {7}),
    "19_a_wrong_reference": (with_two_exercises, {8}),
}
MORE_CELLS = {"18_rests_on_a_clock": 2, "19_a_wrong_reference": 3}


@pytest.fixture(scope="module")
def outcomes(built, tmp_path_factory):
    """{copy: {number of the code cell, from 0: "PASSED" or "FAILED"}}"""
    folder = tmp_path_factory.mktemp("nbval") / "chapters"
    shutil.copytree(built, folder)
    (folder / "00_made_up.ipynb").unlink()
    shutil.copytree(ROOT / "tests" / "offline", folder.parent / "tests" / "offline")
    shutil.copy(ROOT / "tests" / "unsteady_clock.py", folder.parent / "tests")
    (folder / "spoilt_reference.py").write_text(SPOILT_REFERENCE, "utf-8")
    for name, (change, _) in SPOILT.items():
        shutil.copy(built / "00_made_up.ipynb", folder / f"{name}.ipynb")
        change(folder / f"{name}.ipynb")
    options = ["-c", ROOT / "pyproject.toml", "--rootdir", ".", "-p", "no:cacheprovider", "-rA"]
    options += ["-p", "spoilt_reference"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--tb=no", "."],
        cwd=folder, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": str(folder)},
    )  # fmt: skip
    found = {name: {} for name in SPOILT}
    for outcome, name, cell in re.findall(
        r"^(\w+) (\w+)\.ipynb::Cell (\d+)", done.stdout, re.MULTILINE
    ):
        found[name][int(cell)] = outcome
    assert {name: len(cells) for name, cells in found.items()} == {
        name: 6 + MORE_CELLS.get(name, 0) for name in SPOILT
    }, done.stdout + done.stderr
    return found


@pytest.mark.parametrize("name", SPOILT)
def test_exactly_the_cell_that_differs_fails(outcomes, name):
    failed = {cell for cell, outcome in outcomes[name].items() if outcome != "PASSED"}
    assert failed == SPOILT[name][1]


def test_the_suite_s_own_run_holds_the_chapters(pytestconfig):
    """A run without arguments covers them: --nbval and the folder stand in the settings."""
    assert pytestconfig.option.nbval
    assert "chapters" in pytestconfig.getini("testpaths")
