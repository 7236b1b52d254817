"""The builder as `import build`, and a small made-up chapter to corrupt."""

import shutil
import sys
from pathlib import Path

import pytest

CHAPTERS = Path(__file__).parents[2] / "chapters"
sys.path.insert(0, str(CHAPTERS))

import build
import contents

MACHINERY = (
    "build.py",
    "contents.py",
    "predictions.py",
    "reading_time.py",
    "conftest.py",
    "sanitize.cfg",
)


@pytest.fixture(autouse=True)
def no_progress(monkeypatch):
    monkeypatch.setenv("KDLIB_PROGRESS_DIR", "off")


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A folder with the made-up chapter, built, and all that nbval needs to run it."""
    folder = tmp_path_factory.mktemp("chapters")
    for name in MACHINERY:
        shutil.copy(CHAPTERS / name, folder)
    shutil.copy(Path(__file__).with_name("made_up.py"), folder / "00_made_up.py")
    contents.note_seconds(folder / "00_made_up.py", 3)
    assert build.main(["0", "--untimed"], folder) == 0
    return folder


@pytest.fixture
def folder(built, tmp_path):
    """A copy of it."""
    shutil.copytree(built, tmp_path / "chapters")
    return tmp_path / "chapters"
