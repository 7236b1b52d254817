"""A file or folder is the old one or the new one, whole, whenever the process or the power fails."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from kdlib import files
from kdlib.errors import UserError
from kdlib.files import atomic_file, atomic_folder, locked, write_atomically

on_posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no fork, modes or inodes")


def write_folder(folder, content):
    with atomic_folder(folder) as draft:
        (draft / "below").mkdir()
        for path in (draft / "weights", draft / "below" / "config"):
            path.write_text(content)


def content_of(folder):
    """What the folder holds, if all of it is of one writing."""
    [content] = {path.read_text() for path in (folder / "weights", folder / "below" / "config")}
    return content


def fail(*_):
    raise OSError("disk full")


# --- An error -----------------------------------------------------------------------------------


def test_failed_write_keeps_the_old_content(tmp_path, monkeypatch):
    path = tmp_path / "state.json"
    write_atomically(path, "old")
    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_fills_a_draft_may_fail(tmp_path):
    with pytest.raises(RuntimeError), atomic_file(tmp_path / "weights") as draft:
        draft.write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_folder_appears_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "model"
    with pytest.raises(RuntimeError), atomic_folder(folder) as draft:
        (draft / "weights").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    for content in ("one", "two"):
        write_folder(folder, content)
        assert content_of(folder) == content
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("number", [1, 2])
def test_a_refused_rename_leaves_the_older_folder(tmp_path, monkeypatch, number):
    folder, renames, real = tmp_path / "model", [], os.replace
    write_folder(folder, "one")

    def replace(source, target):
        renames.append(source)
        return fail() if len(renames) == number else real(source, target)

    monkeypatch.setattr(files.os, "replace", replace)
    with pytest.raises(OSError, match="disk full"):
        write_folder(folder, "two")
    assert content_of(folder) == "one"
    assert list(tmp_path.iterdir()) == [folder]


def test_a_file_is_not_taken_for_an_older_folder(tmp_path):
    path = tmp_path / "model"
    path.write_text("dear")
    with pytest.raises(OSError):
        write_folder(path, "one")
    assert path.read_text() == "dear"
    assert list(tmp_path.iterdir()) == [path]


@on_posix
def test_a_link_to_a_folder_still_leads_there(tmp_path):
    (tmp_path / "disk" / "model").mkdir(parents=True)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "disk" / "model")
    write_folder(link, "one")
    assert link.is_symlink() and content_of(tmp_path / "disk" / "model") == "one"


# --- A kill -------------------------------------------------------------------------------------


def killed_before(moment, work):
    """Run `work` in a fork that dies before its rename, deletion or write to disk of that number.

    Returns:
        Whether it died; False if it came to its end first.
    """
    process = os.fork()
    if process == 0:
        calls = []

        def mortal(function):
            def called(*args, **kwargs):
                calls.append(function)
                if len(calls) == moment:
                    os._exit(9)
                return function(*args, **kwargs)

            return called

        os.replace, os.fsync, os.rmdir, os.unlink = map(
            mortal, (os.replace, os.fsync, os.rmdir, os.unlink)
        )
        shutil.rmtree = mortal(shutil.rmtree)
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    assert code in (0, 9)
    return code == 9


def until_it_survives(work):
    """Killed in `work` at one moment after the other; yields after each."""
    moment = 1
    while killed_before(moment, work):
        yield
        moment += 1
    assert moment > 2, "no moment was tried"


@on_posix
def test_a_kill_leaves_the_old_folder_or_the_new_one(tmp_path):
    folder = tmp_path / "model"
    write_folder(folder, "one")
    for _ in until_it_survives(lambda: write_folder(folder, "two")):
        # Whatever comes next, here a writer that fails: one of the two is there, and it alone.
        with pytest.raises(RuntimeError), atomic_folder(folder):
            raise RuntimeError
        assert content_of(folder) in ("one", "two")
        assert list(tmp_path.iterdir()) == [folder]
    assert content_of(folder) == "two"


@on_posix
def test_a_kill_leaves_the_old_file_or_the_new_one(tmp_path):
    path = tmp_path / "state.json"
    write_atomically(path, "old")
    for _ in until_it_survives(lambda: write_atomically(path, "new")):
        assert path.read_text() in ("old", "new")
    assert path.read_text() == "new"


# --- A power failure ----------------------------------------------------------------------------


@pytest.fixture
def disk(monkeypatch):
    """Which inodes had been written to the disk at each rename, and in the end."""
    at_rename, written, sync, replace = [], set(), os.fsync, os.replace

    def fsync(descriptor):
        written.add(os.fstat(descriptor).st_ino)
        sync(descriptor)

    def rename(source, target):
        at_rename.append(set(written))
        replace(source, target)

    monkeypatch.setattr(files.os, "fsync", fsync)
    monkeypatch.setattr(files.os, "replace", rename)
    return at_rename, written


@on_posix
def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path, disk):
    at_rename, written = disk
    write_atomically(tmp_path / "state.json", "new")
    assert at_rename == [{(tmp_path / "state.json").stat().st_ino}]
    assert tmp_path.stat().st_ino in written, "the name itself"


@on_posix
def test_a_folder_is_on_the_disk_before_it_has_its_name(tmp_path, disk):
    at_rename, written = disk
    folder = tmp_path / "model"
    write_folder(folder, "one")
    parts = {path.stat().st_ino for path in (folder, *folder.rglob("*"))}
    assert at_rename == [parts] and len(parts) == 4
    assert tmp_path.stat().st_ino in written, "the name itself"


@on_posix
def test_a_disk_that_syncs_no_folders_will_do(tmp_path, monkeypatch):
    sync = os.fsync
    is_folder = lambda descriptor: stat.S_ISDIR(os.fstat(descriptor).st_mode)
    monkeypatch.setattr(files.os, "fsync", lambda d: fail() if is_folder(d) else sync(d))
    write_folder(tmp_path / "model", "one")
    assert content_of(tmp_path / "model") == "one"


# --- Who may read, and who may write ------------------------------------------------------------


@on_posix
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


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="a place where nothing can be written")
def test_where_there_can_be_no_lock_nobody_holds_it():
    with pytest.raises(UserError, match="cannot be written"), locked(Path("/proc/nowhere")):
        pass


def test_a_disk_without_locks_is_named(tmp_path, monkeypatch):
    def refuse(self):
        raise NotImplementedError("no flock here")

    monkeypatch.setattr(files.FileLock, "_acquire", refuse)
    named = r"\.run\.lock cannot be written: no flock here"
    with pytest.raises(UserError, match=named), locked(tmp_path / "run"):
        pass
