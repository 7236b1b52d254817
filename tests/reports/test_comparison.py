"""Runs side by side: each its own column, and a warning where they do not compare."""

import copy
import json

import pytest

from kdlib.errors import UserError
from kdlib.reports.comparison import compare_runs

REPORT = {
    "format": "kdlib-report-1",
    "seed": 0,
    "recipe": {"objective": {"weighing": "alpha", "weight": 0.5, "temperature": 2.0, "divergence": "skew_kl"}},
    "data": {"text": "sotu", "test": {"tokens": 1000}},
    "teacher": {"cross_entropy": 3.0},
    "student": {"cross_entropy": 4.125, "parameters": 1_090_000},
    "advantage": {"control_equal_steps": {"value": 0.31}},
    "gap_closed": {"value": 0.25},
    "seconds": {"total": 61.0},
}  # fmt: skip


@pytest.fixture
def make_run(tmp_path):
    def make(name, **changes):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "recipe.toml").touch()
        (folder / "state.json").touch()
        (folder / "report.json").write_text(json.dumps(copy.deepcopy(REPORT) | changes))
        return folder

    return make


def row(text, label):
    line = next(line for line in text.splitlines() if line.startswith(label))
    return line.removeprefix(label).split()


def test_each_run_has_its_column(make_run):
    other = {"cross_entropy": 3.9, "parameters": 400_000}
    text = compare_runs([make_run("one"), make_run("two", student=other, seed=7)])
    assert text.splitlines()[0].split() == ["one", "two"]
    assert row(text, "cross-entropy, nats/token") == ["4.125", "3.900"]
    assert row(text, "parameters") == ["1.09", "M", "400", "k"]
    assert row(text, "seed") == ["0", "7"]
    assert row(text, "objective") == ["alpha", "0.5,", "T", "2"] * 2
    assert "do not compare" not in text


def test_settings_in_which_runs_differ_are_shown(make_run):
    same, other = REPORT["recipe"]["objective"], {"weighing": "lambda", "weight": 2.0}
    one = {"objective": same, "targets": {"kind": "sampled", "k": 50}, "compile": False}
    two = {"objective": same | other, "targets": {"kind": "sampled", "k": 200}, "compile": False}
    text = compare_runs([make_run("one", recipe=one), make_run("two", recipe=two)])
    assert row(text, "targets.k") == ["50", "200"]
    for known in ("targets.kind", "compile", "objective.weight"):
        assert known not in text


def test_a_run_without_controls_has_dashes(make_run):
    report = {name: part for name, part in REPORT.items() if name != "gap_closed"}
    folder = make_run("one")
    (folder / "report.json").write_text(json.dumps(report | {"advantage": {}}))
    text = compare_runs([folder])
    assert row(text, "ahead of equal steps") == row(text, "gap closed") == ["-"]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"data": {"text": "sotu", "test": {"tokens": 999}}}, "test texts"),
        ({"teacher": {"cross_entropy": 3.1}}, "teachers"),
    ],
)
def test_what_does_not_compare_is_said(make_run, changes, what):
    text = compare_runs([make_run("one"), make_run("two", **changes)])
    assert text.endswith(f"The {what} of these runs differ: their numbers do not compare.")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "has no report yet"),
        ("{", "is damaged"),
        ('{"format": "kdlib-report-0"}', "of another version"),
    ],
)
def test_a_report_that_cannot_be_read(make_run, content, message):
    folder = make_run("one")
    (folder / "report.json").unlink()
    if content is not None:
        (folder / "report.json").write_text(content)
    with pytest.raises(UserError, match=message):
        compare_runs([folder])
