"""A run's folder: refused or claimed, and never half written."""

import json
import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from kdlib import files
from kdlib.errors import UserError
from kdlib.files import atomic_folder, locked, write_atomically
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


def test_failed_write_keeps_the_old_content(tmp_path, monkeypatch):
    path = tmp_path / "state.json"
    write_atomically(path, "old")
    monkeypatch.setattr(files.os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, "new")
    assert path.read_text() == "old"


def test_folder_appears_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "model"
    with pytest.raises(RuntimeError), atomic_folder(folder) as draft:
        (draft / "weights").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    for content in ("one", "two"):
        with atomic_folder(folder) as draft:
            (draft / "weights").write_text(content)
    assert (folder / "weights").read_text() == "two"


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps no such modes")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_who_may_read_the_folder_may_read_its_files(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        with atomic_folder(tmp_path / "model") as draft:
            save_file({"weight": torch.zeros(1)}, draft / "model.safetensors")
    finally:
        os.umask(before)
    assert (tmp_path / "model" / "model.safetensors").stat().st_mode & 0o777 == mode


def test_second_process_is_refused(tmp_path):
    prepare(tmp_path / "run")
    code = f"""
from pathlib import Path
from kdlib.files import locked
with locked(Path({str(tmp_path / "run")!r})):
    print("claimed")
"""
    with locked(tmp_path / "run"):
        second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert "another run is using" in second.stderr
    assert (
        "claimed"
        in subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    )


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
