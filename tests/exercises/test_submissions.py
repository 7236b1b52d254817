"""What is handed in as a notebook: any file, of any chapter, in any language."""

import json
import os
import stat

import nbformat
import pytest

from kdlib.errors import UserError
from kdlib.exercises import start
from kdlib.exercises.notebooks.submissions import book_cells, chapter_titles, read_submission


def write(path, *sources, text="", metadata=None):
    code = [nbformat.v4.new_code_cell(source) for source in sources]
    cells = [nbformat.v4.new_markdown_cell(text), *code]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata or {}), path)
    return path


BROKEN = {
    "empty": (b"", "the file is empty"),
    "blank": (b" \n", "no JSON"),
    "cut off": (b'{"cells": [{"cell_type": "code", "sou', "breaks off"),
    "another JSON": (b'{"a": 1}', "no cells"),
    "a list": (b"[1, 2]", "no cells"),
    "cells that are none": (b'{"cells": [{"cell_type": "code"}]}', "not a notebook"),
    "cells that are numbers": (b'{"cells": [1], "nbformat": 4, "nbformat_minor": 5}', "not a notebook"),
    "cells of numbers": (b'{"cells": 7, "nbformat": 4, "nbformat_minor": 5}', "not a notebook"),
    "no text": (b"\xff\xfe\x00\x01", "not a notebook"),
    "too deep": (b"[" * 100_000, "not a notebook"),
    "no code": (
        b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "holds no code",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("content", "why"), BROKEN.values(), ids=BROKEN)
def test_what_is_no_notebook_says_so_in_a_line(tmp_path, content, why):
    path = tmp_path / "odd.ipynb"
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        read_submission(path)
    said = str(error.value)
    assert said.startswith(str(path)) and why in said and "\n" not in said and len(said) < 300


def test_what_is_no_file_says_so(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        read_submission(tmp_path / "none.ipynb")
    with pytest.raises(UserError, match="is a folder"):
        read_submission(tmp_path)
    os.mkfifo(tmp_path / "pipe.ipynb")
    with pytest.raises(UserError, match="not a regular file"):
        read_submission(tmp_path / "pipe.ipynb")


def test_a_file_that_may_not_be_read_says_so(tmp_path):
    path = write(tmp_path / "mine.ipynb", "1")
    path.chmod(0)
    if os.access(path, os.R_OK):
        path.chmod(stat.S_IRUSR)
        pytest.skip("this user may read everything")
    with pytest.raises(UserError, match="Permission denied"):
        read_submission(path)


@pytest.mark.parametrize(
    ("metadata", "language"),
    [
        ({"kernelspec": {"name": "ir", "display_name": "R", "language": "R"}}, "R"),
        ({"language_info": {"name": "julia"}}, "julia"),
    ],
)
def test_another_language_is_told(tmp_path, metadata, language):
    path = write(tmp_path / "other.ipynb", "exercise('soften')", metadata=metadata)
    with pytest.raises(UserError, match=f"written in {language}, not in Python"):
        read_submission(path)


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"kernelspec": {"name": "my-own-env", "display_name": "mine", "language": "python"}},
        {"kernelspec": None, "language_info": 7, "kdlib": "nonsense"},
        {"kdlib": {"chapter": "one"}},
        {"kdlib": {"chapter": 99}},
    ],
)
def test_odd_metadata_does_no_harm(tmp_path, metadata):
    path = write(tmp_path / "a.ipynb", "exercise('soften').check(f)")
    content = json.loads(path.read_text()) | {"metadata": metadata}
    path.write_text(json.dumps(content))
    assert read_submission(path).chapter == 1


# ---------------------------------------------------------------- which chapter


def test_a_copy_knows_its_chapter_also_without_its_cells(tmp_path):
    for path in start(tmp_path / "mine"):
        number = int(path.name[:2])
        assert read_submission(path).chapter == number
        notebook = nbformat.read(path, as_version=4)
        assert notebook.metadata["kdlib"] == {"chapter": number}
        write(path, "x = 1", metadata=notebook.metadata)
        assert read_submission(path).chapter == number


def test_a_chapter_is_known_by_its_title_and_by_its_exercises(tmp_path):
    assert chapter_titles()[4].startswith("KL divergence")
    title = f"# 4. {chapter_titles()[4]}\n\nText."
    assert read_submission(write(tmp_path / "a.ipynb", "x = 1", text=title)).chapter == 4
    other = read_submission(write(tmp_path / "b.ipynb", "x = 1", text="# 4. Shopping"))
    assert other.chapter is None
    marked = write(tmp_path / "c.ipynb", "# exercise: soften\n", "# exercise: no-such")
    assert read_submission(marked).chapter == 1


def test_a_chapter_that_its_exercises_speak_against_is_doubted(tmp_path):
    path = write(
        tmp_path / "a.ipynb",
        "# exercise: soften", "# exercise: push", metadata={"kdlib": {"chapter": 10}},
    )  # fmt: skip
    found = read_submission(path)
    assert found.chapter == 10 and found.doubts == ("most of its exercises are chapter 1's",)


def test_cells_are_numbered_as_code_cells_and_know_their_exercises(tmp_path):
    path = write(
        tmp_path / "a.ipynb",
        "1", "# exercise: soften\nexercise('push').check(f)", 'exercise("soften")', text="# Text",
    )  # fmt: skip
    _, cell, shows = read_submission(path).cells
    assert cell.number == 2 and cell.asked == ("soften", "push") and cell.checks
    assert cell.answers("soften") and not shows.answers("soften") and not shows.checks


def test_the_books_own_cells_are_known():
    assert 'exercise("soften")' in book_cells() and len(book_cells()) > 500
    assert not any(cell.startswith("#\n") or cell.startswith("# ##") for cell in book_cells())
