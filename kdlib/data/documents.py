"""Documents: an embedded text, a folder or a file, and their three splits.

A document belongs to exactly one split: *training*, *validation* (what tuning may look at) or
*test* (what only the report looks at).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from kdlib.data.copies import NearCopy, without_duplicates, without_near_copies
from kdlib.data.document import Document, characters
from kdlib.data.facts import TextFacts, said_near_copies
from kdlib.data.sources import EMBEDDED_CORPUS, Source, Watch, is_folder, open_source, unwatched
from kdlib.data.splits import Splits, Wanted, split_file, split_folder, split_sotu
from kdlib.data.sums import SUMS
from kdlib.errors import UserError

# What one split holds is dropped from those before it.
ORDER = ("training", "validation", "test")
Parts = dict[str, list[Document]]  # by the name of the split


@dataclass(frozen=True)
class LoadedText:
    """A text in its splits.

    Attributes:
        splits: the documents.
        facts: what was read, and what was left out and why.
    """

    splits: Splits
    facts: TextFacts


def load_splits(text: str) -> Splits:
    """Load a text and split its documents into training, validation and test, as `load_text`.

    Args:
        text: an embedded text (``"sotu"`` or ``"sums"``), or the path of a folder or of a single
            file.

    Returns:
        The three splits, both held-out ones taken out of the text.

    Raises:
        UserError: as `load_text`.
    """
    return load_text(text).splits


def load_text(
    text: str, validation: str = "", test: str = "", watch: Watch = unwatched
) -> LoadedText:
    """Load a text and split its documents into training, validation and test.

    The documents of a folder are the ``*.txt`` files in and below it (`kdlib.data.listing` says
    which are not), one of each text. Each draws its split from a hash of its own contents, so that
    names, order and the other documents do not matter, and a new file moves no old one from split
    to split. In a small folder, nobody may have drawn the test or the validation (of 50 documents
    in 15 % of all cases, of 200 in 0.007 %). Then that split borrows the document nearest to it,
    and a new file that is nearer still takes its place: the borrowed document returns to the
    training split. Training documents that are nearly the text of a held-out one are dropped.

    A single file has no documents to keep apart, so it is cut at two paragraph breaks: the last
    part is the test, the one before it the validation.

    A validation or a test with a name of its own is not taken out of the text. What such a split
    holds is dropped from the training, and what the test holds from the validation.

    Args:
        text: an embedded text (``"sotu"`` or ``"sums"``), or the path of a folder or of a single
            file.
        validation: path of the validation's own folder or file; empty: a share of the text.
        test: path of the test's own folder or file; empty: a share of the text.
        watch: shows the progress over files and documents.

    Returns:
        The splits, and what was left out.

    Raises:
        UserError: for a corpus that is not installed; files that are missing, unreadable, binary,
            not UTF-8 or no plain text; a single file that is empty or too short; too few files in
            a folder; splits of which nothing is left.
    """
    wanted = Wanted(not validation, not test)
    source = open_source(text, wanted.fewest, watch)
    own = {
        name: _open_own(name, path, watch)
        for name, path in (("validation", validation), ("test", test))
        if path
    }
    parts = _split(text, source.documents, wanted)
    parts |= {name: each.documents for name, each in own.items()}
    # The embedded corpus is split by years, for good, and the parts of a single file are one text.
    compared = [n for n in ORDER[1:] if n in own or is_folder(text)]
    return arrange(text, [source, *own.values()], parts, compared, watch)


def arrange(
    name: str, sources: list[Source], parts: Parts, compared: list[str], watch: Watch = unwatched
) -> LoadedText:
    """Take copies of held-out documents out of the training, and say what was left out.

    Args:
        name: of the text, for the error.
        sources: of which the parts were taken: the text, and those of the splits of their own.
        parts: the documents of each split.
        compared: held-out splits whose near-copies are dropped from the training.
        watch: shows the progress over documents.

    Raises:
        UserError: for splits of which nothing is left.
    """
    copies: tuple[NearCopy, ...] = ()
    read = sum(map(len, parts.values()))
    if len(sources) > 1:
        parts = _without_shared(parts)
    duplicates = read - sum(map(len, parts.values()))
    held_out = [document for name in compared for document in parts[name]]
    if held_out:
        training = watch("comparing", parts["training"])
        parts["training"], copies = without_near_copies(training, held_out)
    _refuse_empty(name, parts, copies)
    return LoadedText(Splits(**parts), _facts(sources, parts, duplicates, copies))


def _open_own(name: str, path: str, watch: Watch) -> Source:
    """A held-out split from a folder or a file of its own."""
    try:
        return open_source(path, 1, watch)
    except UserError as error:
        raise UserError(f"data.{name}: {str(error).removeprefix('text: ')}") from error


def _split(text: str, documents: list[Document], wanted: Wanted) -> Parts:
    """The splits that are taken out of the text, and no copies between them."""
    if text == EMBEDDED_CORPUS:
        splits = split_sotu(documents, wanted)
    elif text == SUMS or is_folder(text):
        splits = split_folder(documents, wanted)
    else:
        splits = split_file(documents[0], wanted)
    return {name: getattr(splits, name) for name in ORDER}


def _without_shared(parts: Parts) -> Parts:
    """What a later split holds is dropped from the earlier ones."""
    known: set[str] = set()
    kept = {name: without_duplicates(parts[name], known) for name in reversed(ORDER)}
    return {name: kept[name] for name in ORDER}


def _refuse_empty(text: str, parts: Parts, copies: tuple[NearCopy, ...]) -> None:
    """Each split needs a document; where one has none, the reason is a copy."""
    for name in ORDER:
        if parts[name]:
            continue
        why = f", or nearly: {said_near_copies(copies)}" if copies else ""
        raise UserError(
            f"text: nothing of {text} is left for the {name}, because all of it stands in the"
            f" held-out text{why}; give texts that are no copies of one another"
        )


def _facts(
    sources: list[Source], parts: Parts, duplicates: int, copies: tuple[NearCopy, ...]
) -> TextFacts:
    documents = [document for name in ORDER for document in parts[name]]
    return TextFacts(
        documents=len(documents),
        characters=characters(documents),
        left_out=sum((source.left_out for source in sources), Counter()),
        duplicates=duplicates + sum(source.duplicates for source in sources),
        near_copies=copies,
        kind=sources[0].kind,
    )
