"""What a reader meets in the notebook: a question, what is kept, and the sum at the end."""

import json
import subprocess
import sys

import pytest

from kdlib.exercises import foreseen, kept, predict
from kdlib.exercises.predictions.data import of_chapter, predictions
from kdlib.exercises.predictions.judging import judge

CHOICE, NUMBER, ORDER = "04-better-mimic", "04-draws", "04-push"
NOTHING = f"Chapter 4 asks for {len(of_chapter(4))} predictions with predict(...)."


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv(kept.FOLDER, str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def off(monkeypatch):
    monkeypatch.setenv(kept.FOLDER, "off")


def stored(folder):
    return json.loads((folder / "predictions.json").read_text())["predictions"]


@pytest.mark.parametrize("about", predictions().values(), ids=lambda about: about.id)
def test_the_question_gives_no_answer_away(off, about):
    shown = predict(about.id)
    for text in (str(shown), shown._repr_markdown_()):
        assert about.title in text.replace("\\*", "*") and f'predict("{about.id}"' in text
        if about.kind == "choice":
            assert not any(o.because and o.because in text for o in about.options)
        if about.kind == "order":
            assert " ".join(about.letters) not in text
        if about.kind == "number":
            ends = {f"{about.low:,}", f"{about.high:,}"}
            assert f"{about.right:,}" in ends or f"{about.right:,} " not in text


def test_what_was_said_is_kept_and_not_judged(folder):
    said = predict(CHOICE, "b")
    assert said == 'b is kept. Now run what follows; foreseen("04") tells at the end.'
    assert stored(folder) == {CHOICE: "b"}
    assert predict(CHOICE, "a") == said.replace("b is kept.", "a is kept, in place of b.")
    assert predict(CHOICE, "a").startswith("a is kept.")
    assert predict(CHOICE).endswith("So far you have said a.")
    predict(NUMBER, 40)
    predict(ORDER, "b c a d")
    assert stored(folder) == {CHOICE: "a", NUMBER: "40", ORDER: "b c a d"}


ODD = [
    ("04-bettr-mimic", "b"),
    ("", "b"),
    (None, "b"),
    (7, 7),
    (CHOICE, "z"),
    (CHOICE, ""),
    (NUMBER, ""),
]
ODD += [(NUMBER, "many"), (NUMBER, float("nan")), (NUMBER, 1e400), (NUMBER, "1e400"), (NUMBER, -3)]
ODD += [(ORDER, "a b"), (ORDER, ""), (ORDER, 3), (["04-draws"], 3)]


@pytest.mark.parametrize(("id", "answer"), ODD, ids=repr)
def test_odd_input_is_one_line_and_loses_nothing(folder, id, answer):
    predict(CHOICE, "b")
    said = predict(id, answer)
    assert said.startswith(("Nothing was changed: ", "There is no prediction "))
    assert "\n" not in said
    assert stored(folder) == {CHOICE: "b"}


def test_a_name_that_is_nearly_right_is_offered(off):
    assert "similar: 04-better-mimic" in predict("04-bettr-mimic")


@pytest.mark.parametrize("chapter", [4, "4", "04"])
def test_without_a_prediction_the_end_gives_nothing_away(folder, chapter):
    assert foreseen(chapter) == f"{NOTHING} Make some, then run this cell again."


def test_the_end_tells_what_came_true(folder):
    predict(CHOICE, "b")
    predict(NUMBER, predictions()[NUMBER].right)
    told = foreseen("04")
    assert told.splitlines()[-1] == f"You foresaw 1 of 2; {len(of_chapter(4)) - 2} not made."
    flat = " ".join(told.split())
    assert f"✗ {predictions()[CHOICE].title} {judge(predictions()[CHOICE], 'b').words}" in flat
    assert "it is 112 draws" in flat
    assert len(flat.partition("not predicted: ")[2].split(", ")) == len(of_chapter(4)) - 2
    assert all(len(line) <= 79 for line in told.splitlines())
    # Of what was not predicted, nothing is told but its name.
    assert "04-beta" in flat and predictions()["04-beta"].right not in flat


def test_all_of_a_chapter_can_come_true(folder):
    for about in of_chapter(4):
        right = {"choice": "letter", "number": "right", "order": "letters"}[about.kind]
        predict(about.id, getattr(about, right))
    number = len(of_chapter(4))
    assert foreseen(4).endswith(f"You foresaw {number} of {number}.")


@pytest.mark.parametrize("chapter", [99, "x", "", None, -1, "4.0", "²", "004"])
def test_a_chapter_that_asks_for_none_is_said_so(folder, chapter):
    assert foreseen(chapter).startswith("There are no predictions of chapter ")


def test_what_is_kept_of_a_question_that_has_changed_does_not_count(folder):
    folder.mkdir()
    content = {"version": 1, "predictions": {CHOICE: "z", "04-gone": "a", NUMBER: "112"}}
    (folder / "predictions.json").write_text(json.dumps(content))
    assert foreseen(4).splitlines()[-1].startswith("You foresaw 1 of 1;")
    predict(CHOICE, "a")
    assert stored(folder) == content["predictions"] | {CHOICE: "a"}


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"version": 1, "predictions": {"a": 3}}', "\x00"]
)
def test_a_damaged_file_is_set_aside_and_said(folder, content):
    folder.mkdir()
    (folder / "predictions.json").write_text(content)
    assert "It is kept as" in predict(CHOICE, "a")
    assert (folder / "predictions.damaged-1.json").read_text() == content
    assert stored(folder) == {CHOICE: "a"}


def test_a_folder_that_cannot_be_written_is_said(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(kept.FOLDER, str(tmp_path / "file"))
    assert predict(CHOICE, "a").startswith("Your prediction could not be kept: ")


def test_where_nothing_is_kept_nothing_depends_on_a_reader(folder, monkeypatch):
    """So chapters are built and compared: in whoever's home that is."""
    fresh = [str(predict(CHOICE)), str(foreseen(4))]
    predict(CHOICE, "b")
    assert [str(predict(CHOICE)), str(foreseen(4))] != fresh
    monkeypatch.setenv(kept.FOLDER, "off")
    assert [str(predict(CHOICE)), str(foreseen(4))] == fresh
    assert predict(CHOICE, "b") == "b: read, and not kept, since KDLIB_PROGRESS_DIR is off."
    assert stored(folder) == {CHOICE: "b"}


def test_two_notebooks_lose_nothing(folder):
    program = "import sys; from kdlib.exercises import predict; predict(sys.argv[1], sys.argv[2])"
    answers = [(CHOICE, "a"), (NUMBER, "40")]
    running = [subprocess.Popen([sys.executable, "-c", program, *each]) for each in answers]
    assert [process.wait() for process in running] == [0, 0]
    assert stored(folder) == dict(answers)
