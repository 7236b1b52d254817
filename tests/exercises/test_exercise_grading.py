"""Solved copies, clean copies, and the grading of a reader's notebook."""

import json

import nbformat
import pytest

from kdlib.exercises import (
    exercise,
    exercises,
    export_json,
    grade,
    grade_table,
    marked_cells,
    solve,
    start,
)
from kdlib.exercises.notebooks.grading import as_json

pytestmark = pytest.mark.slow

CHAPTER = f"""# %% [markdown]
# # A chapter

# %%
import torch
from kdlib.exercises import exercise

# %%
{exercise("soften").cell()}

# %%
1 + 1

# %%
{exercise("what-is-trained").cell()}
"""


@pytest.fixture
def chapters(tmp_path):
    folder = tmp_path / "chapters"
    folder.mkdir()
    (folder / "01_a_chapter.py").write_text(CHAPTER)
    return folder


def test_marked_cells_are_found_and_solved():
    assert list(marked_cells(CHAPTER)) == ["soften", "what-is-trained"]
    solved = solve(CHAPTER)
    assert solved.count("raise NotImplementedError") == 0
    assert marked_cells(solved)["soften"] == exercise("soften").cell(solved=True)
    assert solve(solved) == solved
    assert (
        solved.replace(exercise("soften").cell(True), exercise("soften").cell()).replace(
            exercise("what-is-trained").cell(True), exercise("what-is-trained").cell()
        )
        == CHAPTER
    )


def test_start_copies_clean_notebooks_and_overwrites_nothing(chapters, tmp_path):
    (target,) = start(tmp_path / "mine", chapters=chapters)
    notebook = nbformat.read(target, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    assert "raise NotImplementedError" in notebook.cells[2].source
    with pytest.raises(ValueError, match="already there"):
        start(tmp_path / "mine", chapters=chapters)
    with pytest.raises(ValueError, match="no chapters"):
        start(tmp_path / "other", chapters=tmp_path / "nowhere")


def test_what_is_missing_is_added_and_nothing_else(chapters, tmp_path):
    (target,) = start(tmp_path / "mine", chapters=chapters, add=True)
    target.write_text("worked on", "utf-8")
    (chapters / "02_new.py").write_text(CHAPTER, "utf-8")
    (added,) = start(tmp_path / "mine", chapters=chapters, add=True)
    assert added.name == "02_new.ipynb" and added.exists()
    assert target.read_text("utf-8") == "worked on"
    assert start(tmp_path / "mine", chapters=chapters, add=True) == []


def test_a_solved_copy_is_graded_correct(chapters, tmp_path):
    (target,) = start(tmp_path / "solved", solved=True, chapters=chapters)
    result = grade(target)
    assert [v["outcome"] for v in result.verdicts] == ["correct", "correct"]
    assert result.problem == "" and result.correct == 2


def test_a_readers_notebook_gets_its_verdicts(tmp_path):
    cells = [
        "from kdlib.exercises import exercise\nimport torch",
        "1 / 0  # a failing cell does not stop the others",
        "# exercise: what-is-trained\nexercise('what-is-trained').check('b')",
        "exercise('what-is-trained').check('a')",
        "exercise('soften').check(lambda z, t: torch.softmax(z * t, -1))",
        "# exercise: push\n",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    path = tmp_path / "reader.ipynb"
    nbformat.write(notebook, path)
    result = grade(path)
    outcomes = {v["exercise"]: (v["outcome"], v.get("misconception")) for v in result.verdicts}
    assert outcomes == {
        "soften": ("wrong", "temperature-inverted"),
        "push": ("not attempted", None),
        "what-is-trained": ("correct", None),
    }
    assert "1 of 3 correct" in grade_table([result])
    assert json.loads(as_json([result]))[0]["correct"] == 1


WRITTEN = next(e for e in exercises().values() if e.kind == "written")
ANSWER = "A few sentences that say little,\nbut there are more than a handful of words. \x1b[31m"


@pytest.mark.parametrize(
    ("ticks", "outcome", "made"),
    [("", "to be marked", 0), (", ticked=[1, 2]", "self-marked", 2)],
    ids=["before ticking", "after ticking"],
)
def test_what_was_written_is_shown_and_is_the_readers_own_mark(tmp_path, ticks, outcome, made):
    (tmp_path / "reader.py").write_text(
        "# %%\nfrom kdlib.exercises import exercise\n"
        f"# %%\nexercise({WRITTEN.id!r}).check({ANSWER!r}{ticks})\n"
        "# %%\nexercise('what-is-trained').check('a')\n"
    )
    result = grade(tmp_path / "reader.py")
    table = grade_table([result])
    marked = int(outcome == "self-marked")
    assert f"1 of 1 correct; {marked} of 1 written answers self-marked" in table
    assert f"{outcome}, {made} of {len(WRITTEN.rubric)} points" in table
    assert f"{WRITTEN.id}, as it was written:\n  A few sentences" in table and "\x1b" not in table
    (content,) = json.loads(as_json([result]))
    (written,) = [v for v in content["verdicts"] if v["exercise"] == WRITTEN.id]
    assert (content["correct"], content["self_marked"]) == (1, marked)
    assert written["answer"] == ANSWER and written["points"]["made"] == made
    assert [point["by"] for point in written["rubric"]][:2] == ["reader" if made else ""] * 2


def test_a_written_answer_that_is_missing_counts_as_such(tmp_path):
    (tmp_path / "reader.py").write_text(f"# %%\n# exercise: {WRITTEN.id}\n")
    table = grade_table([grade(tmp_path / "reader.py")])
    assert "0 of 0 correct; 0 of 1 written answers self-marked" in table
    assert "not attempted" in table and "as it was written" not in table


def test_a_notebook_that_never_ends_is_stopped(tmp_path):
    path = tmp_path / "endless.py"
    path.write_text("# %%\nwhile True: pass\n")
    assert "stopped after 3 seconds" in grade(path, timeout=3).problem


def test_a_kernel_that_dies_is_said(tmp_path):
    path = tmp_path / "dies.py"
    path.write_text("# %%\nimport os\nos._exit(1)\n")
    assert "ended its kernel" in grade(path).problem


def test_what_is_no_notebook_is_refused(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        grade(tmp_path / "none.ipynb")
    (tmp_path / "bad.ipynb").write_text("{")
    with pytest.raises(ValueError, match="not a notebook"):
        grade(tmp_path / "bad.ipynb")


def test_everything_can_be_exported():
    content = json.loads(export_json())
    (one,) = [e for e in content if e["id"] == "what-is-trained"]
    assert one["chapter"] == 1 and [o["right"] for o in one["options"]].count(True) == 1
