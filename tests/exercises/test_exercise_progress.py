"""Progress: local, atomic, shared safely by several notebooks, and never lost without a word."""

import json
import multiprocessing

import pytest

from kdlib.exercises import exercise, progress, progress_table


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
