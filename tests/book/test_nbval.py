"""What running the notebooks again sees, and what it lets pass: the suite's own options, on copies."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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
    found = re.compile(r"data:image/png;base64,[A-Za-z0-9+/=]+")
    text, pictures = found.subn("data:image/png;base64,AAAA", path.read_text("utf-8"))
    assert pictures == 3
    path.write_text(text, "utf-8")


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
}


@pytest.fixture(scope="module")
def outcomes(built, tmp_path_factory):
    """{copy: {number of the code cell, from 0: "PASSED" or "FAILED"}}"""
    folder = tmp_path_factory.mktemp("nbval") / "chapters"
    shutil.copytree(built, folder)
    (folder / "00_made_up.ipynb").unlink()
    shutil.copytree(ROOT / "tests" / "offline", folder.parent / "tests" / "offline")
    for name, (change, _) in SPOILT.items():
        shutil.copy(built / "00_made_up.ipynb", folder / f"{name}.ipynb")
        change(folder / f"{name}.ipynb")
    options = ["-c", ROOT / "pyproject.toml", "--rootdir", ".", "-p", "no:cacheprovider", "-rA"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--tb=no", "."],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = {name: {} for name in SPOILT}
    for outcome, name, cell in re.findall(
        r"^(\w+) (\w+)\.ipynb::Cell (\d+)", done.stdout, re.MULTILINE
    ):
        found[name][int(cell)] = outcome
    assert all(len(cells) == 6 for cells in found.values()), done.stdout + done.stderr
    return found


@pytest.mark.parametrize("name", SPOILT)
def test_exactly_the_cell_that_differs_fails(outcomes, name):
    failed = {cell for cell, outcome in outcomes[name].items() if outcome != "PASSED"}
    assert failed == SPOILT[name][1]


def test_the_suite_s_own_run_holds_the_chapters(pytestconfig):
    """A run without arguments covers them: --nbval and the folder stand in the settings."""
    assert pytestconfig.option.nbval
    assert "chapters" in pytestconfig.getini("testpaths")
