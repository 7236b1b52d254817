"""One finished run of the smallest kind, for all tests of one process; each has a copy of its own."""

import os
import shutil
from pathlib import Path

import pytest
from little_runs import little, paragraphs, run, write_file


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A folder with a text, ``book.txt``, and a run on it with two seeds, ``run``."""
    folder = tmp_path_factory.mktemp("finished")
    write_file(folder / "book.txt", paragraphs(400))
    # By its name alone, so that a copy of the folder is a run on the text's copy.
    before = Path.cwd()
    os.chdir(folder)
    try:
        run(little("book.txt", seeds=2), Path("run"))
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def workplace(finished, tmp_path, monkeypatch):
    """A copy of text and run, as the working directory: its path."""
    folder = tmp_path / "workplace"
    shutil.copytree(finished, folder)
    monkeypatch.chdir(folder)
    return folder
