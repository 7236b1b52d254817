"""Files and folders that appear whole or not at all, and are held by one process at a time."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from kdlib.errors import UserError


def write_atomically(path: Path, content: str | bytes) -> None:
    """The old content or the new one, never a part: write beside it, then rename."""
    draft = path.with_name(f".{path.name}.draft")
    data = content.encode() if isinstance(content, str) else content
    with open(draft, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


@contextlib.contextmanager
def disk_errors_named(path: Path) -> Iterator[None]:
    """UserError where the disk refuses. Libraries written in Rust put the system's answer into the
    text of an error of their own."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) or "(os error" in str(error):
            raise UserError(f"disk: {path} cannot be written: {error}") from error
        raise


@contextlib.contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """A draft folder to write into; it takes its name only when everything has been written.

    Then whoever may read the folder may read its files: safetensors writes for their owner alone.
    """
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft
        for file in filter(Path.is_file, draft.rglob("*")):
            file.chmod(draft.stat().st_mode & 0o666)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    if folder.exists():
        shutil.rmtree(folder)
    os.replace(draft, folder)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder for this process. The lock goes with the process, however that ends."""
    # Beside the folder, so that the folder itself can be deleted while it is held.
    lock = FileLock(folder.with_name(f".{folder.name}.lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(
            f"out: another run is using {folder}; wait for it or give another --out"
        ) from None
    try:
        yield
    finally:
        lock.release()
