"""Files and folders that appear whole or not at all, and a lock for one process at a time."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from kdlib.errors import UserError


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replace a file's content in one step: write a draft beside it, then rename.

    Whenever the process stops, the file holds the old content or the new one, never a part.

    Args:
        path: the file; its folder must exist.
        content: text (written as UTF-8) or bytes.
    """
    draft = path.with_name(f".{path.name}.draft")
    data = content.encode() if isinstance(content, str) else content
    with open(draft, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


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
    and an older folder is untouched.

    Args:
        folder: the final path.

    Yields:
        The path of the draft.
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
    """Lock the folder for this process. The lock ends with the process, however that ends.

    Args:
        folder: the folder; it need not exist.

    Raises:
        UserError: at once, where another process holds the lock.
    """
    # Beside the folder, so that the folder itself can be deleted while it is locked.
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
