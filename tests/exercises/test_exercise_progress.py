"""Progress: local, atomic, shared safely by several notebooks, and never lost without a word."""

import json
import multiprocessing

import pytest

from kdlib.commands.book import exercises as command
from kdlib.errors import UserError
from kdlib.exercises import chapters, exercise, print_progress, progress, progress_table
from kdlib.exercises.notebooks.tables import chapter_progress


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv(progress.FOLDER, str(tmp_path / "made by itself"))
    return tmp_path / "made by itself"


def test_a_check_is_remembered_and_solved_stays_solved(folder):
    e = exercise("what-is-trained")
    e.check(...)
    assert progress.read() == ({}, "")
    e.check("b")
    assert progress.read()[0] == {e.id: {"state": "tried", "checks": 1}}
    e.check("a")
    e.check("b")
    assert progress.read()[0] == {e.id: {"state": "solved", "checks": 3}}


def test_the_table_counts(folder):
    exercise("what-is-trained").check("a")
    exercise("most-informative-target").check("a")
    head, _, row, *_ = progress_table().splitlines()
    counts = dict(zip(head.split(), row.split()))
    assert (counts["chapter"], counts["solved"], counts["tried"]) == ("01", "1", "1")


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"version": 99}', '{"version": 1, "exercises": {"a": 3}}', "\x00"]
)
def test_a_damaged_file_is_set_aside_and_said(folder, content):
    folder.mkdir()
    (folder / "progress.json").write_text(content)
    verdict = exercise("what-is-trained").check("a")
    assert verdict and "kept as" in verdict.note
    assert (folder / "progress.damaged-1.json").read_text() == content
    assert list(progress.read()[0]) == ["what-is-trained"]
    (folder / "progress.json").write_bytes(b"\xff\xfe")
    assert "damaged-2" in progress.read()[1]


def test_a_folder_that_cannot_be_written_does_not_spoil_the_verdict(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(progress.FOLDER, str(tmp_path / "file"))
    verdict = exercise("what-is-trained").check("a")
    assert verdict and "could not be saved" in verdict.note


def test_it_can_be_switched_off(monkeypatch):
    monkeypatch.setenv(progress.FOLDER, "off")
    assert progress.record("x", "solved") == "" and progress.read() == ({}, "")


def record_ten():
    for i in range(10):
        progress.record(f"e{i}", "tried")


def test_several_processes_lose_nothing(folder):
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("needs fork, so as not to load torch four times")
    context = multiprocessing.get_context("fork")
    running = [context.Process(target=record_ten) for _ in range(4)]
    for process in running:
        process.start()
    for process in running:
        process.join()
    content = json.loads((folder / "progress.json").read_text())
    assert content["version"] == 1
    assert {e["checks"] for e in content["exercises"].values()} == {4}
    assert len(content["exercises"]) == 10


def test_the_most_points_are_kept_and_what_is_no_pair_is_damage(folder):
    e = exercise("why-two-models")
    for ticked in ([1], [1, 2], []):
        e.check("The one is large and the other one is small enough.", ticked=ticked)
    entry = {"state": "tried", "checks": 3, "points": [2, len(e.rubric)]}
    assert progress.read()[0] == {e.id: entry}
    for points in ("2", [2], [2, "4"], [True, 4]):
        content = {"version": 1, "exercises": {e.id: entry | {"points": points}}}
        (folder / "progress.json").write_text(json.dumps(content))
        assert "kept as" in progress.read()[1]


def test_what_was_kept_without_points_is_read(folder):
    folder.mkdir()
    entries = {"why-two-models": {"state": "self-marked", "checks": 2}}
    content = {"version": 1, "exercises": entries}
    (folder / "progress.json").write_text(json.dumps(content))
    assert progress.read() == (entries, "")


def test_a_chapter_says_how_far_its_reader_is(folder, capsys):
    exercise("what-is-trained").check("a")
    exercise("most-informative-target").check("a")
    print_progress(1)
    head, *rows = capsys.readouterr().out.splitlines()
    found = chapters()[1]
    left = sum(e.minutes for e in found if e.id != "what-is-trained")
    assert head == f"1 of {len(found)} exercises of chapter 1 done; about {left} minutes left"
    assert rows[:2] == [
        "  ✓ solved:      what-is-trained",
        "  ✗ tried:       most-informative-target",
    ]
    listed = " ".join(rows[2:]).replace("○ open:", "").replace(",", " ").split()
    assert {*listed, "what-is-trained", "most-informative-target"} == {e.id for e in found}
    assert max(map(len, (head, *rows))) <= 79


def test_a_chapter_that_is_done_has_no_minutes_left(folder):
    found = chapters()[3]
    for e in found:
        progress.record(e.id, "solved" if e.kind != "written" else "self-marked")
    head, *rows = chapter_progress(3).splitlines()
    assert head == f"{len(found)} of {len(found)} exercises of chapter 3 done"
    assert [row.split()[1] for row in rows if ":" in row] == ["solved:", "self-marked:"]


def test_without_progress_a_chapter_says_the_same_to_everyone(folder, monkeypatch):
    """So is it built, and its notebook holds nobody's progress."""
    monkeypatch.setenv(progress.FOLDER, "off")
    before = chapter_progress(1)
    monkeypatch.setenv(progress.FOLDER, str(folder))
    exercise("what-is-trained").check("a")
    assert chapter_progress(1) != before
    monkeypatch.setenv(progress.FOLDER, "off")
    assert chapter_progress(1) == before and "done" in before


def test_a_chapter_without_exercises_is_refused():
    with pytest.raises(ValueError, match="14 has no exercises"):
        print_progress(14)


ENTRIES = {
    "soften": {"state": "solved", "checks": 2},
    "what-is-trained": {"state": "tried", "checks": 1},
    "two-models": {"state": "tried", "checks": 3, "points": [2, 3]},
}


def saved(path, entries):
    path.write_text(json.dumps({"version": 1, "exercises": entries}))
    return path


def test_what_was_saved_is_loaded_elsewhere(folder, tmp_path, monkeypatch):
    exercise("what-is-trained").check("a")
    assert progress.save(tmp_path / "mine.json") == 1
    monkeypatch.setenv(progress.FOLDER, str(tmp_path / "other machine"))
    assert progress.load(tmp_path / "mine.json") == (1, "")
    assert progress.read()[0] == {"what-is-trained": {"state": "solved", "checks": 1}}


def test_what_is_done_in_either_is_done_and_loading_twice_changes_nothing(folder, tmp_path):
    exercise("what-is-trained").check("a")
    exercise("soften").check(lambda logits, temperature: logits)
    own = {"state": "self-marked", "checks": 1, "points": [3, 3]}
    progress.record("two-models", "self-marked", (3, 3))
    for _ in range(2):
        assert progress.load(saved(tmp_path / "page.json", ENTRIES)) == (3, "")
        assert progress.read()[0] == {
            "what-is-trained": {"state": "solved", "checks": 1},
            "soften": {"state": "solved", "checks": 2},
            "two-models": {**own, "checks": 3},
        }


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"version": 2, "exercises": {}}', '{"version": 1, "exercises": {"a": 3}}'],
)
def test_a_file_that_is_no_progress_is_refused_and_nothing_changes(folder, tmp_path, content):
    exercise("what-is-trained").check("a")
    before = progress.read()
    (tmp_path / "page.json").write_text(content)
    with pytest.raises(UserError, match=r"load: .*page\.json is no file of progress"):
        progress.load(tmp_path / "page.json")
    assert progress.read() == before


def test_a_file_that_is_not_there_is_named(folder, tmp_path):
    with pytest.raises(UserError, match=r"none\.json is no file of progress \(No such file"):
        progress.load(tmp_path / "none.json")


def test_nothing_is_loaded_where_nothing_is_kept(monkeypatch, tmp_path):
    monkeypatch.setenv(progress.FOLDER, "off")
    with pytest.raises(UserError, match="KDLIB_PROGRESS_DIR is off"):
        progress.load(saved(tmp_path / "page.json", ENTRIES))


def test_the_command_saves_and_loads(folder, tmp_path, capsys):
    file = tmp_path / "page.json"
    command(["--load", str(saved(file, ENTRIES)), "--save", str(tmp_path / "back.json")])
    assert capsys.readouterr().out == (
        f"3 exercises added from {file}\n3 exercises written to {tmp_path / 'back.json'}\n"
    )
    assert json.loads((tmp_path / "back.json").read_text()) == json.loads(file.read_text())
    command(["--load", str(file)])
    assert "minutes left" in capsys.readouterr().out
