"""The builder: the same bytes twice, and a failure changes nothing."""

import json
import shutil
from pathlib import Path

import build
import contents
import pytest

pytestmark = pytest.mark.slow

HEAD = "# %% [markdown]\n# # 2. Another\n\n"


def write(folder, *cells, name="02_another.py"):
    source = folder / name
    source.write_text(HEAD + "".join(f"# %%\n{cell}\n\n" for cell in cells), "utf-8")
    return source


def test_two_builds_give_the_same_bytes(folder):
    notebook = folder / "00_made_up.ipynb"
    first = notebook.read_bytes()
    notebook.unlink()
    build.build(folder / "00_made_up.py")
    assert notebook.read_bytes() == first


def test_a_notebook_holds_what_its_source_gives_and_no_more(folder):
    text = (folder / "00_made_up.ipynb").read_text("utf-8")
    notebook = json.loads(text)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    assert notebook["metadata"] == build.METADATA
    assert [cell["metadata"] for cell in notebook["cells"][-2:]] == 2 * [{"tags": ["hide-output"]}]
    assert all(cell["metadata"] == {} for cell in notebook["cells"][:-2])
    assert str(folder) not in text


def test_pieces_of_a_stream_are_one(tmp_path):
    source = write(tmp_path, "for i in range(3):\n    print(i, flush=True)\n    time.sleep(0.3)")
    source.write_text(source.read_text("utf-8").replace("for i", "import time\nfor i"), "utf-8")
    build.build(source)
    code = json.loads(source.with_suffix(".ipynb").read_text("utf-8"))["cells"][1]
    assert [output["text"] for output in code["outputs"]] == [["0\n", "1\n", "2\n"]]


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("1 / 0", "02_another, cell 2 of 3: ZeroDivisionError: division by zero"),
        ("import sys; sys.stderr.write('oh')", "02_another, cell 2 of 3: it writes to stderr:\noh"),
        ("import os; os._exit(1)", "02_another, cell 2 of 3: it ended its kernel"),
    ],
)
def test_a_cell_that_fails_is_named_and_the_old_notebook_stays(tmp_path, cell, message, capsys):
    source = write(tmp_path, "x = 1", cell, "x = 3")
    source.with_suffix(".ipynb").write_text("old", "utf-8")
    assert build.main(["2"], tmp_path) == 1
    assert message in capsys.readouterr().err
    assert source.with_suffix(".ipynb").read_text("utf-8") == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"02_another.py", "02_another.ipynb"}


def test_a_chapter_over_its_budget_is_refused(tmp_path):
    source = write(tmp_path, "import time\ntime.sleep(1.2)", "time.sleep(1.2)")
    with pytest.raises(build.BuildError, match=r"02_another: took \d+ s; its budget is 2 s"):
        build.build(source, limit=2)
    with pytest.raises(build.BuildError, match=r"cell 1 of 2: runs for more than 1 s"):
        build.build(source, limit=1)
    assert not source.with_suffix(".ipynb").exists()


def test_budgets():
    assert contents.budget(Path("03_x.py")) == 90
    assert contents.budget(Path("07_x.py")) == 180


def test_seconds_and_index_are_kept(folder):
    shutil.copy(folder / "00_made_up.py", folder / "03_last.py")
    contents.note_seconds(folder / "03_last.py", 12.6)
    seconds = contents.read_seconds(folder)
    assert list(seconds) == ["00_made_up", "03_last"] and seconds["03_last"] == 13
    (folder / "00_made_up.py").unlink()
    contents.note_seconds(folder / "03_last.py", 0.1)
    assert contents.read_seconds(folder) == {"03_last": 1}
    assert "| [0. A made-up chapter](03_last.ipynb) |  | 1 s |" in contents.index(folder)


def test_only_the_chapters_asked_for_are_built(folder, capsys):
    write(folder, "print(2)")
    before = (folder / "00_made_up.ipynb").stat().st_mtime_ns
    assert build.main(["2", "--untimed"], folder) == 0
    assert (folder / "02_another.ipynb").exists()
    assert (folder / "00_made_up.ipynb").stat().st_mtime_ns == before
    assert "02_another" not in contents.read_seconds(folder)
    assert "[2. Another](02_another.ipynb)" in (folder / "index.md").read_text("utf-8")
    assert capsys.readouterr().out.startswith("02_another: ")


def test_a_number_without_a_chapter_is_an_error(folder, capsys):
    assert build.main(["9"], folder) == 1
    assert capsys.readouterr().err == "no chapter 9; there are 00\n"


def test_check_says_what_is_wrong_and_nothing_else(folder, capsys):
    assert build.main(["--check"], folder) == 0
    (folder / "index.md").write_text("mine", "utf-8")
    (folder / "08_lonely.ipynb").write_text("{}", "utf-8")
    write(folder, "print(2)")
    assert build.main(["--check"], folder) == 1
    assert capsys.readouterr().out.splitlines()[1:] == [
        "02_another: has no notebook",
        "08_lonely: has no source",
        "index.md: does not name the chapters as they are",
    ]
