"""Solved copies, clean copies, and the grading of a reader's notebook."""

import json

import nbformat
import pytest

from kdlib.exercises import chapters as chapters_of_the_book
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
from kdlib.exercises.notebooks.grade_sheets import grade_csv, grade_json
from kdlib.exercises.notebooks.grading import grade_all
from kdlib.exercises.notebooks.judgements import KEYS
from kdlib.exercises.notebooks.solved import CHAPTERS

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


@pytest.mark.parametrize("number", chapters_of_the_book(), ids="{:02}".format)
def test_the_reference_solutions_are_right_in_the_part_that_is_run(number, tmp_path):
    """As they are in the whole run, which chapters/conftest.py makes and judges."""
    (target,) = (p for p in start(tmp_path, solved=True) if p.name.startswith(f"{number:02}"))
    result = grade(target, timeout=600)
    assert (result.status, result.chapter, result.flags) == ("graded", number, ())
    for verdict in result.verdicts:
        e = exercise(verdict["exercise"])
        points = verdict["points"] or {"made": 0, "of": 0}
        assert verdict["outcome"] == e.done and points["made"] == points["of"], verdict
        assert verdict["checks"] == 1 and not verdict["error"], verdict
    assert [v["exercise"] for v in result.verdicts] == [
        e.id for e in chapters_of_the_book()[number]
    ]


def write(path, *cells):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    nbformat.write(notebook, path)
    return path


def by_exercise(result):
    return {v["exercise"]: v for v in result.verdicts}


def test_a_readers_notebook_gets_its_verdicts(tmp_path):
    path = write(
        tmp_path / "reader.ipynb",
        "from kdlib.exercises import exercise\nimport torch",
        "1 / 0  # a failing cell does not stop the others",
        "# exercise: what-is-trained\nexercise('what-is-trained').check('b')",
        "exercise('what-is-trained').check('a')",
        "exercise('soften').check(lambda z, t: torch.softmax(z * t, -1))",
        "# exercise: push\n",
        "# exercise: gibbs\nexercise('gibbs').check(no_such_name)",
        "# exercise: dark-knowledge\ndef dark_knowledge(:",
    )
    result = grade(path)
    verdicts = by_exercise(result)
    assert list(verdicts) == [e.id for e in chapters_of_the_book()[1]]
    outcomes = {id: (v["outcome"], v["misconception"]) for id, v in verdicts.items()}
    asked = "soften", "push", "what-is-trained", "gibbs", "dark-knowledge"
    assert {id: outcomes[id] for id in asked} == {
        "soften": ("wrong", "temperature-inverted"),
        "push": ("not attempted", None),
        "what-is-trained": ("correct", None),
        "gibbs": ("error", None),
        "dark-knowledge": ("error", None),
    }
    assert verdicts["gibbs"]["error"] == "cell 7: NameError: name 'no_such_name' is not defined"
    assert verdicts["dark-knowledge"]["error"].startswith("cell 8: SyntaxError")
    assert verdicts["when-noise-wins"]["note"] == "its cell is missing"
    assert verdicts["what-is-trained"]["checks"] == 2
    assert result.correct == 1 and f"1 of {len(result.judged)} correct" in grade_table([result])
    assert {tuple(sorted(v)) for v in result.verdicts} == {tuple(sorted(KEYS))}


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
    judged, written = len(result.judged), len(result.written)
    assert f"1 of {judged} correct; {marked} of {written} written answers self-marked" in table
    line = next(x for x in table.splitlines() if x.strip().startswith(WRITTEN.id))
    assert outcome in line and f"{made} of {len(WRITTEN.rubric)}" in line
    assert f"{WRITTEN.id}, as it was written:\n    A few sentences" in table and "\x1b" not in table
    (content,) = json.loads(grade_json([result]))["notebooks"]
    (written,) = [v for v in content["verdicts"] if v["exercise"] == WRITTEN.id]
    assert (content["correct"], content["self_marked"]) == (1, marked)
    assert written["answer"] == ANSWER and written["points"]["made"] == made
    assert [point["by"] for point in written["rubric"]][:2] == ["reader" if made else ""] * 2


def test_a_written_answer_that_is_missing_counts_as_such(tmp_path):
    (tmp_path / "reader.py").write_text(f"# %%\n# exercise: {WRITTEN.id}\n")
    result = grade(tmp_path / "reader.py")
    assert result.correct == result.self_marked == 0
    assert by_exercise(result)[WRITTEN.id]["outcome"] == "not attempted"
    assert "as it was written" not in grade_table([result])


def test_a_notebook_that_never_ends_is_stopped_and_keeps_what_there_is(tmp_path):
    path = write(
        tmp_path / "endless.ipynb",
        "# exercise: gibbs\nfrom kdlib.exercises import exercise\nexercise('gibbs').check('z')",
        "# exercise: soften\nimport time\nwhile True:\n    try:\n        time.sleep(9)\n"
        "    except BaseException: pass",
        "# exercise: push\nexercise('push').check(1)",
    )
    result = grade(path, timeout=90)
    assert result.status == "incomplete" and "stopped after 90 seconds" in result.problem
    verdicts = by_exercise(result)
    assert verdicts["gibbs"]["note"] and verdicts["gibbs"]["checks"] == 1
    assert verdicts["soften"]["error"] == "cell 2: it was stopped"
    assert verdicts["push"]["error"] == "cell 3: it was not reached"


def test_a_kernel_that_dies_again_and_again_is_said(tmp_path):
    die = "# exercise: {}\nimport os\nos._exit(1)"
    path = write(
        tmp_path / "dies.ipynb", *map(die.format, ("soften", "push", "gibbs", "dark-knowledge"))
    )
    result = grade(path)
    assert result.status == "incomplete" and "ended its kernel in cell 1, 2, 3" in result.problem
    verdicts = by_exercise(result)
    assert verdicts["push"]["error"] == "cell 2: it ended the kernel"
    assert verdicts["dark-knowledge"]["error"] == "cell 4: it was not reached"


def test_what_cannot_be_graded_is_told(tmp_path):
    (tmp_path / "bad.ipynb").write_text("{")
    write(tmp_path / "shopping.ipynb", "eggs = 12")
    names = "none.ipynb", "bad.ipynb", "shopping.ipynb"
    grades = grade_all([tmp_path / name for name in names])
    assert [g.status for g in grades] == ["not graded"] * 3
    said = [g.problem for g in grades]
    assert said[0] == "does not exist" and said[1].startswith("is not a notebook")
    assert said[2] == "is of no chapter: it names no exercise of the book"
    table = grade_table(grades)
    assert "3 notebooks, 0 graded" in table and "not graded: it does not exist" in table
    assert len(grade_csv(grades).splitlines()) == 4


def test_a_chapter_without_exercises_is_told(tmp_path):
    text = (CHAPTERS / "00_start_here.py").read_text("utf-8")
    (tmp_path / "zero.py").write_text(text, "utf-8")
    assert grade(tmp_path / "zero.py").problem == "is chapter 0, which has no exercises"


def test_everything_can_be_exported():
    content = json.loads(export_json())
    (one,) = [e for e in content if e["id"] == "what-is-trained"]
    assert one["chapter"] == 1 and [o["right"] for o in one["options"]].count(True) == 1
