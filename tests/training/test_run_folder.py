"""A run's folder: refused or claimed, and never half written."""

import json

import pytest

from kdlib.errors import UserError
from kdlib.files import locked
from kdlib.training.run_folder import Metrics, is_run, prepare_run, read_state, require_run


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
