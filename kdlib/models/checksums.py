"""Hashes of a finished folder's files, looked at whenever the folder is read.

A disk that flips a bit, or a hand that mixes up two models, changes numbers without a word; a hash
notices.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from kdlib.errors import UserError
from kdlib.files import write_atomically

CHECKSUMS = "sha256.json"


def write_checksums(folder: Path) -> None:
    """Note the hash of every file that is there now."""
    hashes = {path.name: _hash(path) for path in sorted(folder.iterdir()) if path.is_file()}
    write_atomically(folder / CHECKSUMS, json.dumps(hashes, indent=1) + "\n")


def verify_checksums(folder: Path) -> None:
    """UserError, naming the file, where one is not what it was; nothing where there is no seal, as in
    a folder that another program wrote."""
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


def _refusal(path: Path) -> str:
    return (
        f"model: {path} is missing or damaged: it is not the file that was written;"
        f" delete {path.parent} and make it again (a run: with --resume)"
    )


def _hash(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
