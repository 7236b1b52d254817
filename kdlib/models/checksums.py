"""Checksums of a finished folder's files, written once and verified whenever the folder is read.

A bit flipped by the disk, or a file swapped for another model's, changes results silently; a
checksum reveals it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from kdlib.errors import UserError
from kdlib.files import write_atomically

CHECKSUMS = "sha256.json"


def write_checksums(folder: Path) -> None:
    """Write the folder's checksums: the SHA-256 of every file in it now, into ``sha256.json``.

    Args:
        folder: a finished folder without checksums. Files in subfolders are left out, and files
            added later are not verified.
    """
    hashes = {path.name: _hash(path) for path in sorted(folder.iterdir()) if path.is_file()}
    write_atomically(folder / CHECKSUMS, json.dumps(hashes, indent=1) + "\n")


def verify_checksums(folder: Path) -> None:
    """Compare a folder's files with its checksums.

    A folder without checksums passes: another program wrote it.

    Args:
        folder: the folder of a model or a tokenizer.

    Raises:
        UserError: for a file that is missing or has changed (the message names it), and for
            checksums that cannot be read.
    """
    path = folder / CHECKSUMS
    if not path.exists():
        return
    try:
        hashes = dict(json.loads(path.read_text()))
    except (OSError, TypeError, ValueError) as error:
        raise UserError(_refusal(path)) from error
    for name, expected in hashes.items():
        if not (folder / name).is_file() or _hash(folder / name) != expected:
            raise UserError(_refusal(folder / name))


def folder_fingerprint(folder: Path) -> str:
    """A short text that changes when a model does, without reading its weights.

    Args:
        folder: of a model. With checksums, they are what is hashed; a folder that another program
            wrote has none, so names, sizes and times of its files stand for their contents.
    """
    path = folder / CHECKSUMS
    if path.exists():
        return _hash(path)
    files = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in sorted(folder.iterdir())]
    return hashlib.sha256(repr(files).encode()).hexdigest()


def contents_sha256(folder: Path) -> str:
    """SHA-256 of a model's files, wherever the folder lies and whenever it was written.

    Args:
        folder: of a model. With checksums, they are what is hashed; else settings, tokenizer and
            weights are read, which takes about a second per gigabyte.
    """
    path = folder / CHECKSUMS
    if path.exists():
        return _hash(path)
    files = sorted([*folder.glob("*.json"), *folder.glob("*.safetensors")])
    names = [f"{file.name} {_hash(file)}" for file in files]
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def _refusal(path: Path) -> str:
    return (
        f"model: {path} is missing or damaged: it is not the file that was written;"
        f" delete {path.parent} and make it again (a run: with --resume)"
    )


def _hash(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
