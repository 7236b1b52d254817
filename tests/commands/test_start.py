"""What `kdlib start` says at its end: what to do with the chapters, in commands to be copied."""

import shlex
import sys
from pathlib import Path

import pytest

from kdlib.cli import COMMANDS
from kdlib.commands import book


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """The folder, and what the command printed: paths, and what to do next."""
    folder = tmp_path_factory.mktemp("start") / "my copy"
    lines = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(book, "show", lambda text: lines.extend(text.split("\n")))
        book.start([str(folder)])
    return folder, lines


@pytest.mark.skipif(sys.platform == "win32", reason="commands are quoted for another shell")
def test_every_command_exists_and_every_file_it_names(said):
    folder, lines = said
    paths, steps = lines[: lines.index("")], lines[lines.index("") + 1 :]
    assert all(Path(path).exists() for path in paths)
    opened, checked, progress, grade = (line.partition(":")[2].strip() for line in steps)
    opened, progress, grade = map(shlex.split, (opened, progress, grade))
    assert opened[:2] == ["jupyter", "lab"] and grade[:2] == ["kdlib", "grade"]
    assert opened[2] == paths[0] and grade[2] in paths and folder.name == "my copy"
    assert "exercise(" in Path(grade[2]).read_text("utf-8")
    assert progress == ["kdlib", "exercises"] and {"grade", "exercises"} <= set(COMMANDS)
    assert ".check(...)" in checked


def test_words_with_spaces_are_quoted_as_the_system_wants_it(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert book.shell("kdlib", "grade", "a b.ipynb") == 'kdlib grade "a b.ipynb"'
    monkeypatch.setattr(sys, "platform", "linux")
    assert book.shell("kdlib", "grade", "a b.ipynb") == "kdlib grade 'a b.ipynb'"
