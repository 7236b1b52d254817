"""Files and folders that appear whole or not at all, and a lock for one process at a time."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock, Timeout

from kdlib.errors import UserError

CACHE_VARIABLE = "KDLIB_CACHE_DIR"  # replaces the user's cache folder


def user_cache() -> Path:
    """The folder for what can be made again: fetched models, the tokens of large texts."""
    root = os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("kdlib", appauthor=False)
    return Path(root).expanduser()


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A draft to write into; in one step it replaces the file, once it is whole and on the disk.

    Whenever the process stops or the power fails, the file holds the old content or the new one,
    never a part. After an exception the draft is gone.

    Args:
        path: the file; its folder must exist.

    Yields:
        The path of the draft.
    """
    draft = _beside(path, "draft")
    try:
        yield draft
        # Before the rename: the disk may write a new name sooner than the content it stands for.
        _sync(draft)
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    _sync_names(path.parent)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replace a file's content in one step (see `atomic_file`).

    Args:
        path: the file; its folder must exist.
        content: text (written as UTF-8) or bytes.
    """
    with atomic_file(path) as draft:
        draft.write_bytes(content.encode() if isinstance(content, str) else content)


def expand_home(name: str | Path) -> Path:
    """The path, with ~ and ~user as the home folders that they stand for.

    Raises:
        UserError: where nobody knows that folder.
    """
    try:
        return Path(name).expanduser()
    except RuntimeError as error:
        raise UserError(f"{name}: there is no such home folder; write the path in full") from error


def read_json(path: Path) -> Any:
    """Read a JSON file, of which nothing is known yet.

    Raises:
        OSError: where there is no such file, or where it is none: to open a pipe would be to wait.
        ValueError: for one that is not UTF-8, no JSON, or nested beyond all sense.
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    try:
        return json.loads(path.read_text("utf-8"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


@contextlib.contextmanager
def disk_errors_named(path: Path) -> Iterator[None]:
    """Turn errors of the disk within the block into a `UserError` that names the path.

    Libraries written in Rust raise errors of their own, with the system's error in their text;
    those are recognised too. Every other exception passes unchanged.

    Args:
        path: what is being written, for the message.

    Raises:
        UserError: where the disk refuses.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) or "(os error" in str(error):
            raise UserError(f"disk: {path} cannot be written: {error}") from error
        raise


@contextlib.contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """A draft folder to write into; it gets its final name only when everything is written.

    Whoever may read the folder may then read its files: safetensors makes files that only their
    owner can read. An older folder of that name is replaced. After an exception the draft is gone
    and an older folder is untouched. A kill or a power failure leaves the older folder or the new
    one; between two renames the older has a hidden name, which the next call takes back.

    Args:
        folder: the final path.

    Yields:
        The path of the draft.
    """
    folder = folder.resolve()  # of a link, what it points at is replaced: it may be another disk
    draft, old = _beside(folder, "draft"), _beside(folder, "old")
    _put_back(old, folder)
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft
        _finish(draft)
        # Renamed, not deleted: deleting takes time, in which a kill would leave neither folder.
        if folder.is_dir():  # a file is no older folder: the next line refuses it
            os.replace(folder, old)
        os.replace(draft, folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        _put_back(old, folder)
        raise
    _sync_names(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def _finish(draft: Path) -> None:
    """Let the files of a draft be read by whoever may read the folder, and put it on the disk."""
    mode = draft.stat().st_mode & 0o666
    for path in draft.rglob("*"):
        if path.is_file():
            path.chmod(mode)
            _sync(path)
        else:
            _sync_names(path)
    _sync_names(draft)


def _put_back(old: Path, folder: Path) -> None:
    """End a replacement that was cut short: with the older folder, unless the new one is there."""
    if old.exists() and not folder.exists():
        os.replace(old, folder)
    shutil.rmtree(old, ignore_errors=True)


def _beside(path: Path, kind: str) -> Path:
    """A hidden path beside another: on the same disk, so that it can be renamed into place."""
    return path.with_name(f".{path.name}.{kind}")


def _sync(file: Path) -> None:
    """Wait until a file's content is on the disk."""
    with open(file, "r+b") as opened:  # for writing, without which Windows refuses
        os.fsync(opened.fileno())


def _sync_names(folder: Path) -> None:
    """Wait until the disk knows the names in a folder."""
    # Windows opens no folder, and some network disks refuse: the names then follow when they can.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock the folder for this process. The lock ends with the process, however that ends.

    Args:
        folder: the folder; it need not exist.

    Raises:
        UserError: at once, where another process holds the lock, or where there can be none.
    """
    # Beside the folder, so that the folder itself can be deleted while it is locked.
    path = _beside(folder.resolve(), "lock")
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        # A lock that cannot even be opened is held by nobody.
        if os.access(path, os.W_OK):
            raise UserError(
                f"out: another run is using {folder}; wait for it or give another --out"
            ) from None
        raise UserError(f"out: {path} cannot be written; give another --out") from None
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"out: {path} cannot be written: {reason}; give another --out") from error
    try:
        yield
    finally:
        lock.release()
