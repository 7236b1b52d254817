"""A run's folder: refused or claimed, and never half written."""

import json

import pytest

from kdlib.errors import UserError
from kdlib.files import locked
from kdlib.training import run_folder
from kdlib.training.metrics import Metrics
from kdlib.training.run_folder import check_free, is_run, prepare_run, require_run
from kdlib.training.run_state import read_state


def prepare(folder, **options):
    prepare_run(folder, "name", "seed = 0\n", **{"overwrite": False, **options})


def test_prepare_makes_a_run(tmp_path):
    prepare(tmp_path / "a" / "b")
    assert is_run(tmp_path / "a" / "b")
    assert read_state(tmp_path / "a" / "b")["name"] == "name"


def test_prepare_refuses_what_is_not_empty(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UserError, match="not empty"):
        prepare(tmp_path)
    with pytest.raises(UserError, match="no run; nothing was deleted"):
        prepare(tmp_path, overwrite=True)
    assert (tmp_path / "letter.txt").read_text() == "dear"


def test_overwrite_empties_a_run(tmp_path):
    prepare(tmp_path / "run")
    (tmp_path / "run" / "metrics.jsonl").write_text("{}\n")
    prepare(tmp_path / "run", overwrite=True)
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


def test_a_run_in_use_is_not_overwritten(tmp_path):
    prepare(tmp_path / "run")
    with locked(tmp_path / "run"), pytest.raises(UserError, match="another run is using"):
        prepare(tmp_path / "run", overwrite=True)
    assert is_run(tmp_path / "run")


def test_require_refuses_what_is_no_run(tmp_path):
    with pytest.raises(UserError, match="not the folder of a run"):
        require_run(tmp_path)
    prepare(tmp_path / "run")
    require_run(tmp_path / "run")


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(UserError, match="is a file"):
        prepare(tmp_path / "out")
    with pytest.raises(UserError, match="cannot be written"):
        prepare(tmp_path / "out" / "below")


def test_where_nothing_may_be_written_a_run_is_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(run_folder.os, "access", lambda place, mode: place != tmp_path)
    (tmp_path / "made").mkdir()
    check_free(tmp_path / "made" / "run", overwrite=False)
    with pytest.raises(UserError, match=f"run cannot be written: you may not write in {tmp_path}$"):
        check_free(tmp_path / "new" / "run", overwrite=False)
    assert not (tmp_path / "new").exists()


def test_damaged_state_is_named(tmp_path):
    prepare(tmp_path / "run")
    (tmp_path / "run" / "state.json").write_text('{"seconds": ')
    with pytest.raises(UserError, match="state.json is damaged"):
        read_state(tmp_path / "run")


def test_rewind_forgets_what_came_after_the_checkpoint(tmp_path):
    metrics = Metrics(tmp_path)
    for phase, step in (("teacher", 10), ("student", 10), ("student", 20), ("student", 30)):
        metrics.append(phase=phase, step=step)
    with open(metrics.path, "a") as file:
        file.write('{"phase": "student", "st')  # killed while writing
    metrics.rewind("student", 20)
    assert [(r["phase"], r["step"]) for r in metrics.rows()] == [
        ("teacher", 10), ("student", 10), ("student", 20),
    ]  # fmt: skip
    assert all(json.loads(line) for line in metrics.path.read_text().splitlines())


ODD_STATES = [
    b"", b"[]", b"3", b"null", b"\xff\xfe", b"[" * 100_000, b'{"name": 3}', b'{"name": "x"}',
    b'{"name": "x", "seconds": [], "operations": {}, "training": {}}',
    b'{"name": "x", "seconds": {"student": "long"}, "operations": {}, "training": {}}',
    b'{"name": "x", "seconds": {}, "operations": {}, "training": {"student": 3}}',
    b'{"name": "x", "seconds": {}, "operations": {}, "training": {}, "targets": []}',
    b'{"name": "x", "seconds": {}, "operations": {}, "training": {}, "best_of": {"a": 1}}',
    b'{"name": "x", "seconds": {}, "operations": {}, "training": {}, "text": {"test": 1}}',
]  # fmt: skip


@pytest.mark.parametrize("content", ODD_STATES, ids=lambda content: repr(content[:60]))
def test_a_state_of_another_shape_is_damaged(tmp_path, content):
    prepare(tmp_path / "run")
    (tmp_path / "run" / "state.json").write_bytes(content)
    with pytest.raises(UserError, match=r"state\.json is damaged"):
        read_state(tmp_path / "run")


def test_lines_that_are_no_log_lines_are_left_out(tmp_path):
    good = b'{"phase": "student", "step": 1, "loss": 2.0}\n'
    odd = b'3\n[]\n{"phase": 3, "step": 1}\n{"step": 1}\n{"phase": "a", "step": "1"}\n\xff\xfe\nnull\n'
    (tmp_path / "metrics.jsonl").write_bytes(good + odd + b"[" * 100_000 + b"\n" + good[:20])
    metrics = Metrics(tmp_path)
    assert metrics.rows() == [{"phase": "student", "step": 1, "loss": 2.0}]
    metrics.rewind("student", 1)
    assert (tmp_path / "metrics.jsonl").read_bytes() == good


@pytest.mark.parametrize("content", [b"", b"\n", b"[data]\n", b"\xff", b"seed = 1\n"])
def test_another_recipe_than_the_runs_is_refused(tmp_path, content):
    prepare(tmp_path / "run")
    assert run_folder.read_recipe(tmp_path / "run")
    (tmp_path / "run" / "recipe.toml").write_bytes(content)
    with pytest.raises(UserError, match=r"recipe\.toml is damaged"):
        run_folder.read_recipe(tmp_path / "run")


def test_a_recipe_whose_state_is_damaged_can_still_be_read(tmp_path):
    prepare(tmp_path / "run")
    before = run_folder.read_recipe(tmp_path / "run")
    (tmp_path / "run" / "state.json").write_bytes(b"[]")
    assert run_folder.read_recipe(tmp_path / "run") == before
