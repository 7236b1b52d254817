"""A class is graded in one call, as a teacher does it: nothing is lost, whatever is handed in."""

import csv
import io
import json
import os
import re

import made_up_class
import pytest

from kdlib import cli
from kdlib.exercises import chapters, grade_table
from kdlib.exercises.notebooks.grade_sheets import COLUMNS, SCHEMA, grade_csv, grade_json
from kdlib.exercises.notebooks.grading import WARNING, Grade, grade_all
from kdlib.exercises.notebooks.judgements import KEYS

pytestmark = pytest.mark.slow
SECONDS = 300  # for a notebook, on a busy machine; an endless cell takes a fifth of them


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("class")


@pytest.fixture(scope="module")
def handed_in(folder):
    return made_up_class.write_class(folder, made_up_class.FEW)


@pytest.fixture(scope="module")
def grades(handed_in):
    kernels = min(2, os.cpu_count() or 1)
    return {
        path.stem: grade
        for path, grade in zip(handed_in, grade_all(handed_in, SECONDS, kernels), strict=True)
    }


def verdicts(grade):
    return {v["exercise"]: v for v in grade.verdicts}


def test_every_notebook_has_a_grade_and_every_exercise_a_verdict(grades):
    states = {name: grade.status for name, grade in grades.items()}
    assert states == dict.fromkeys(grades, "graded") | {
        "dan": "not graded", "eve": "not graded", "jo": "not graded", "finn": "incomplete",
    }  # fmt: skip
    for grade in grades.values():
        expected = [e.id for e in chapters()[grade.chapter]] if grade.chapter else []
        assert [v["exercise"] for v in grade.verdicts] == expected
        assert all(tuple(sorted(v)) == tuple(sorted(KEYS)) for v in grade.verdicts)


def test_right_and_wrong_answers_are_judged(grades):
    ada, bo, cleo = grades["ada"], grades["bo"], grades["cleo"]
    assert ada.correct == len(ada.judged) == 8 and ada.self_marked == 1 and ada.flags == ()
    others = [e.id for e in chapters()[5] if e.kind not in ("code", "written")]
    assert {id for id, v in verdicts(bo).items() if v["outcome"] == "wrong"} == set(others)
    assert all(verdicts(bo)[id]["misconception"] for id in others)
    assert cleo.correct == len(cleo.judged) and cleo.self_marked == len(cleo.written)
    assert "in place" in verdicts(cleo)["soften"]["note"]
    assert "in place" in " ".join(grade_table([cleo]).split())


def test_a_cell_that_dies_or_never_ends_costs_no_other(grades):
    finn, gus = grades["finn"], grades["gus"]
    assert verdicts(finn)["soften"]["error"] == "cell 5: it ended the kernel"
    assert finn.correct == len(finn.judged) - 1 and "in cell 5; the others ran" in finn.problem
    assert verdicts(gus)["largest-lambda"]["error"] == "cell 8: it was stopped after 60 seconds"
    assert gus.correct == len(gus.judged) - 1


def test_errors_and_unreadable_lines_are_told(grades):
    hal = grades["hal"]
    assert verdicts(hal)["soften"]["error"].startswith("cell 5: SyntaxError")
    assert verdicts(hal)["push"]["error"] == "cell 13: NameError: name 'not_there' is not defined"
    assert hal.correct == len(hal.judged) - 2
    assert "2 lines are no verdict" in hal.flags


def test_what_is_forged_is_flagged_or_does_not_count(grades):
    ivy = grades["ivy"]
    assert verdicts(ivy)["lambda-very-high"]["outcome"] == "error"  # a choice is judged again
    flags = "\n".join(ivy.flags)
    assert "made-up: there is no such exercise; it does not count" in flags
    assert "combined-objective: its cell is untouched, and yet it was checked" in flags
    assert "KDLIB_VERDICT_FILE" in flags and "lambda-very-high" in flags
    assert len(ivy.judged) == sum(e.kind != "written" for e in chapters()[5])


# ---------------------------------------------------------------- what is printed


def test_the_table_has_everybody(grades):
    table = grade_table(list(grades.values()))
    assert "10 notebooks, 6 graded" in table
    tail = table[table.index("10 notebooks, 6 graded") :]
    for name in grades:
        assert re.search(rf"^  \S*{name}\.ipynb ", tail, re.MULTILINE), name
    assert all(line == line.rstrip() for line in table.splitlines())


def test_the_json_has_one_form(grades):
    content = json.loads(grade_json(list(grades.values())))
    assert content["schema"] == SCHEMA and len(content["notebooks"]) == len(grades)
    keys = "notebook status problem chapter correct of self_marked written flags verdicts".split()
    for each in content["notebooks"]:
        assert list(each) == keys
        assert all(list(v) == list(KEYS) for v in each["verdicts"])


def test_the_csv_has_a_line_for_each_notebook_and_exercise(grades):
    rows = list(csv.DictReader(io.StringIO(grade_csv(list(grades.values())))))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == sum(max(1, len(grade.verdicts)) for grade in grades.values())
    (row,) = [r for r in rows if "hal" in r["notebook"] and r["exercise"] == "push"]
    assert row["outcome"] == "error" and "not_there" in row["remark"] and row["chapter"] == "1"
    (row,) = [r for r in rows if "dan" in r["notebook"]]
    assert row["status"] == "not graded" and row["exercise"] == ""


def test_no_text_of_a_notebook_is_a_formula_or_steers_a_terminal():
    verdict = dict.fromkeys(KEYS, "") | {
        "exercise": "soften", "kind": "written", "outcome": "self-marked", "misconception": None,
        "note": "=HYPERLINK(1)\x1b[31m", "error": "\x07@bell", "answer": "\x1b[2Jcleared",
        "points": None, "rubric": None, "checks": 1,
    }  # fmt: skip
    grade = Grade("-x.ipynb", "graded", "=1+1", 1, (verdict,), ("+flag\r",))
    sheet = grade_csv([grade])
    (row,) = csv.DictReader(io.StringIO(sheet))
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row.values())
    for text in (sheet, grade_table([grade]), grade_table([grade, grade])):
        assert not re.search(r"[\x00-\x09\x0b-\x1f]", text)


# ---------------------------------------------------------------- the command


@pytest.fixture
def call(capfd, monkeypatch, folder):
    """`kdlib grade` in this process: (exit code, stdout, stderr), kernels' own words included."""
    monkeypatch.chdir(folder)

    def run(*arguments):
        code = 0
        try:
            cli.main(["grade", *arguments])
        except SystemExit as stop:
            code = stop.code or 0
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run


SMALL = made_up_class.of_chapter(1, missing=[e.id for e in chapters()[1] if e.id != "gibbs"])


def test_the_exit_code_says_whether_all_were_graded(call, folder):
    SMALL(folder / "small.ipynb")
    code, out, err = call("small.ipynb")
    assert code == 0 and err == f"{WARNING}\n" and "✓ correct" in out
    code, out, err = call("small.ipynb", "nowhere.ipynb", "--csv")
    assert code == 1 and "kdlib: nowhere.ipynb does not exist" in err
    assert {row["status"] for row in csv.DictReader(io.StringIO(out))} == {"graded", "not graded"}
    code, out, err = call("nowhere.ipynb", "--json")
    assert code == 2 and json.loads(out)["notebooks"][0]["verdicts"] == []


@pytest.mark.parametrize("arguments", [[], ["a.ipynb", "--json", "--csv"], ["a", "--timeout", "0"]])
def test_a_command_that_cannot_be_used_is_one_line(call, arguments):
    code, out, err = call(*arguments)
    assert code == 2 and out == "" and len(err.splitlines()) == 1


def test_the_help_tells_the_exit_codes(call):
    code, out, _ = call("--help")
    text = " ".join(re.sub(r"[│╭╰─]", " ", out).split())
    assert code == 0 and "0 all notebooks were graded; 1 some were not" in text


def test_a_kernel_that_is_stopped_leaves_no_noise(call, folder):
    made_up_class.notebook(
        folder / "endless.ipynb",
        "# exercise: gibbs\nimport time\nwhile True:\n    try:\n        time.sleep(9)\n"
        "    except BaseException: pass",
    )
    code, out, err = call("endless.ipynb", "--timeout", "25")
    assert code == 1 and "stopped after 25 seconds" in out
    assert err.splitlines() == [WARNING, "kdlib: endless.ipynb was stopped after 25 seconds"]
