"""The package as a wheel brings it: installed alone, with what it names as needed and no more."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from kdlib.cli import COMMANDS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
NEEDED_TO_BUILD = ("kdlib", "chapters", "pyproject.toml", "setup.py", "MANIFEST.in")
LARGEST_WHEEL = 14_000_000  # bytes; nearly all is the teacher
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def files_to_publish():
    """What git tracks or would track of what a wheel is built from, and LICENSE and README."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"]
    listed = subprocess.run(
        [*command, *NEEDED_TO_BUILD, "LICENSE", "README.md"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy: a build leaves folders behind."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for name in files_to_publish():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    pip("wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", built, source)
    return next(built.iterdir())


def pip(*arguments, python=sys.executable):
    command = [sys.executable, "-m", "pip", "--quiet", "--python", python, *arguments]
    done = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, env=os.environ | {"PIP_NO_INDEX": "1"}
    )
    assert done.returncode == 0, done.stderr[-3000:]


def needed_by(requirements):
    """Names of the installed distributions that these requirements bring, theirs included."""
    found, open_ones = set(), [(Requirement(each), "") for each in requirements]
    while open_ones:
        requirement, extra = open_ones.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        for asked in ("", *sorted(requirement.extras)):
            if (name, asked) not in found:
                found.add((name, asked))
                below = distribution(name).requires or []
                open_ones += [(Requirement(each), asked) for each in below]
    return {name for name, _ in found}


def expose(names, folder):
    """Link what these distributions have installed, and nothing else, into a folder."""
    folder.mkdir(exist_ok=True)
    for name in names:
        installed = distribution(name)
        for top in {file.parts[0] for file in installed.files} - {"..", "__pycache__"}:
            if not (folder / top).exists():
                (folder / top).symlink_to(installed.locate_file(top))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A fresh environment with the wheel and what its core dependencies bring; its scripts."""
    place = tmp_path_factory.mktemp("environment")
    venv.create(place, with_pip=False, symlinks=True)
    python = place / "bin" / "python"
    packages = next(place.glob("lib/python*/site-packages"))
    expose(needed_by(DECLARED["dependencies"]), packages)
    pip("install", "--no-deps", wheel, python=python)
    return place / "bin"


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A folder with nothing but a text in it."""
    folder = tmp_path_factory.mktemp("empty")
    (folder / "text.txt").write_bytes((ROOT / "README.md").read_bytes())
    return folder


def kdlib(installed, folder, *arguments, path=""):
    """Run a command of the installed package from a folder, as a user does."""
    known = ("PATH", "LANG", "TMPDIR")
    environment = {name: os.environ[name] for name in known if name in os.environ}
    environment |= {
        "HOME": str(folder),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "tests" / "offline"), str(path)]),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [installed / "kdlib", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done


# --- What is in it ------------------------------------------------------------------------------


def test_all_that_the_package_has_is_in_the_wheel_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    inside = {name for name in names if ".dist-info/" not in name}
    chapters = {n for n in files_to_publish() if n.startswith("chapters/") and n[9].isdigit()}
    expected = {name for name in files_to_publish() if name.startswith("kdlib/")}
    expected |= {f"kdlib/exercises/notebooks/{name}" for name in chapters if name.endswith(".py")}
    assert inside == expected
    assert {Path(name).suffix for name in inside} >= {".j2", ".toml", ".safetensors", ".typed"}
    assert wheel.stat().st_size < LARGEST_WHEEL


def test_the_extras_keep_their_names():
    assert set(DECLARED["optional-dependencies"]) >= {"book", "test", "lint", "all"}


def test_the_environment_hides_what_only_the_extras_bring(installed):
    code = "import importlib.util as u; print([n for n in NAMES if u.find_spec(n)])"
    hidden = ["jupytext", "nbclient", "ipykernel", "pytest", "scipy", "pip"]
    done = subprocess.run(
        [installed / "python", "-c", f"NAMES = {hidden}; {code}"],
        capture_output=True, text=True, env={"PATH": os.environ["PATH"]}, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"


# --- Every command ------------------------------------------------------------------------------

SMALL = (
    "--text text.txt --data.fraction 1 --data.test-fraction 1 --student.training.steps 4"
    " --controls.equal-compute False"
).split()
DISTILLED = [
    ("distill", "tiny", *SMALL, "--out", "run"),
    ("evaluate", "run"),
    ("compare", "run"),
    ("generate", "run", "My fellow citizens", "--tokens", "3"),
]
ALONE = {
    "cache": ("tiny", *SMALL, "--targets.kind", "sampled", "--out", "cache"),
    "doctor": (),
    "bench": ("loss", "--size", "small"),
    "exercises": (),
    "symptom": ("terms-clamped",),
    "claim": (),
    "recipe": ("tiny",),
    "challenge": (),
    "show": ("chat-tiny", "--count", "1"),
    "write": ("--help",),  # what it writes, tests/jobs/test_record_runs.py reads
    "publish": ("--help",),  # the rest of it is the network's
    "completion": ("bash",),
    "fetch": ("--help",),  # the rest of it is the network's
}
BOOK = {"start": ("mine",), "grade": ("notebook.ipynb",)}


def test_no_command_is_forgotten():
    assert {*ALONE, *BOOK, *(name for name, *_ in DISTILLED)} == set(COMMANDS)


def test_a_student_is_distilled_and_used(installed, empty):
    for command in DISTILLED:
        done = kdlib(installed, empty, *command)
        assert done.returncode == 0, done.stderr
    assert json.loads((empty / "run" / "report.json").read_text())["student"]["cross_entropy"] > 0


@pytest.mark.parametrize("name", ALONE)
def test_a_command_needs_no_extra(installed, empty, name):
    done = kdlib(installed, empty, name, *ALONE[name])
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize("name", BOOK)
def test_a_command_of_the_book_names_its_extra(installed, empty, name):
    done = kdlib(installed, empty, name, *BOOK[name])
    assert done.returncode == 2
    said = [line for line in done.stderr.splitlines() if line]
    assert len(said) == 1 and "pip install 'kdlib[book]'" in said[0]
    assert not (empty / "mine").exists()


def test_the_chapters_come_with_the_wheel(installed, empty, tmp_path):
    expose(needed_by(DECLARED["optional-dependencies"]["book"]), tmp_path / "book")
    done = kdlib(installed, empty, "start", "chapters of mine", path=tmp_path / "book")
    assert done.returncode == 0, done.stderr
    started = {path.stem for path in (empty / "chapters of mine").glob("*.ipynb")}
    assert started == {path.stem for path in (ROOT / "chapters").glob("[0-9][0-9]_*.py")}


def test_a_checkout_has_its_chapters_where_they_are_written():
    from kdlib.exercises.notebooks.solved import CHAPTERS

    assert ROOT / "chapters" == CHAPTERS
