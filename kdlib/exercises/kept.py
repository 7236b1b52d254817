"""Small JSON files in the user's data folder: what a reader has solved and predicted, nowhere else.

KDLIB_PROGRESS_DIR names another folder; "off" keeps nothing at all. Several notebooks may write to
one file, and one that is damaged is set aside and never overwritten.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import platformdirs
from filelock import FileLock

from kdlib.files import expand_home, read_json, write_atomically

FOLDER = "KDLIB_PROGRESS_DIR"
VERSION = 1
LOCK_SECONDS = 5.0

Entry = TypeVar("Entry")


def folder() -> Path | None:
    """Where a reader's files are; None where nothing is kept."""
    named = os.environ.get(FOLDER)
    if named == "off":
        return None
    return (
        expand_home(named) if named else Path(platformdirs.user_data_dir("kdlib", appauthor=False))
    )


@dataclass(frozen=True)
class Kept(Generic[Entry]):
    """One of these files.

    name: of the file, and what the reader calls its content. key: under which its entries are.
    is_entry: whether a value can be one of them.
    """

    name: str
    key: str
    is_entry: Callable[[Any], bool]

    def read(self) -> tuple[dict[str, Entry], str]:
        """All entries by their ids, and what the reader should be told, mostly nothing."""
        place = folder()
        if place is None or not self._path(place).exists():
            return {}, ""
        try:
            with self._lock(place):
                return self._read(self._path(place))
        except OSError as error:  # a folder that may only be read, a lock that is never given back
            return {}, f"Your {self.name} could not be read ({error})."

    def change(self, place: Path, change: Callable[[dict[str, Entry]], None]) -> str:
        """Read, change and write the entries, while no other process does. -> what is to be said"""
        place.mkdir(parents=True, exist_ok=True)
        with self._lock(place):
            entries, said = self._read(self._path(place))
            change(entries)
            write_atomically(self._path(place), self.written(entries))
        return said

    def written(self, entries: dict[str, Entry]) -> str:
        """The entries as the text of such a file."""
        return json.dumps({"version": VERSION, self.key: entries}, indent=1) + "\n"

    def entries(self, content: Any) -> dict[str, Entry]:
        """The entries of a file's content. ValueError where it is not of this form."""
        if not isinstance(content, dict) or content.get("version") != VERSION:
            raise ValueError(f"it is not of version {VERSION}")
        entries = content.get(self.key)
        if not isinstance(entries, dict) or not all(map(self.is_entry, entries.values())):
            raise ValueError("its entries are not of the expected form")
        return entries

    def _path(self, place: Path) -> Path:
        return place / f"{self.name}.json"

    def _lock(self, place: Path) -> FileLock:
        return FileLock(place / f"{self.name}.lock", timeout=LOCK_SECONDS)

    def _read(self, path: Path) -> tuple[dict[str, Entry], str]:
        if not path.exists():
            return {}, ""
        try:
            return self.entries(read_json(path)), ""
        except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
            aside = _free_name(path)
            os.replace(path, aside)
            said = f"Your {self.name} file could not be read ({error})."
            return {}, f"{said} It is kept as {aside}; a new one begins."


def _free_name(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.stem}.damaged-{number}.json")).exists():
        number += 1
    return aside
