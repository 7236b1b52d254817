"""Splits: which documents are for training, for validation and for the test.

Splits are made of whole documents, never of blocks: neighbouring blocks share names, topics and
turns of phrase, so a split by block would test memory.
"""

from __future__ import annotations

from dataclasses import dataclass

from kdlib.data.document import Document, draw, fingerprint
from kdlib.data.paragraphs import last_break
from kdlib.errors import UserError

# The embedded corpus holds one or more presidential messages a year. Every twentieth year is held
# out, so that each split spans two centuries of English and messages of one year stay together.
SOTU_PERIOD, SOTU_TEST_YEAR, SOTU_VALIDATION_YEAR = 20, 7, 17

# Of a user's own text, one twentieth is held out for validation and another for the test.
HELD_OUT_FRACTION = 0.05


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


def _refuse_shared_documents(splits: Splits) -> None:
    """Compare contents, not names: the same text under two names is still the same text."""
    seen: dict[str, tuple[str, str]] = {}
    for split in ("training", "validation", "test"):
        for document in getattr(splits, split):
            key = fingerprint(document)
            if key in seen and seen[key][0] != split:
                other_split, other = seen[key]
                raise UserError(
                    f"text: {document.name} ({split}) is the same text as {other} ({other_split});"
                    " a held-out document may not be in training: remove one of the two"
                )
            seen.setdefault(key, (split, document.name))


@dataclass(frozen=True)
class Wanted:
    """Which of the held-out splits are to be taken out of a text; the others have their own.

    Attributes:
        validation: whether the validation is.
        test: whether the test is.
    """

    validation: bool = True
    test: bool = True

    @property
    def fewest(self) -> int:
        """How many documents a folder must hold."""
        return 1 + self.validation + self.test


def split_sotu(documents: list[Document], wanted: Wanted) -> Splits:
    """Split the embedded corpus by the years of its messages.

    The years of both held-out splits stay out of the training even where they are not wanted: the
    embedded teacher has not read them.

    Args:
        documents: the corpus.
        wanted: the splits that are taken out of it.
    """

    def of_year(remainder: int) -> list[Document]:
        return [d for d in documents if int(d.name[:4]) % SOTU_PERIOD == remainder]

    validation, test = of_year(SOTU_VALIDATION_YEAR), of_year(SOTU_TEST_YEAR)
    held_out = {d.name for d in validation + test}
    training = [d for d in documents if d.name not in held_out]
    return Splits(training, validation * wanted.validation, test * wanted.test)


def split_folder(documents: list[Document], wanted: Wanted) -> Splits:
    """The lowest draws are the test, the highest the validation, those between the training.

    At opposite ends, so that a document that one of the two borrows is never the other's.

    Args:
        documents: all different, and at least as many as there are splits.
        wanted: the splits that are taken out of them.
    """
    draws = [draw(document, "split") for document in documents]
    order = [document for _, document in sorted(zip(draws, documents), key=lambda pair: pair[0])]
    test = sum(value < HELD_OUT_FRACTION for value in draws)
    validation = sum(value >= 1 - HELD_OUT_FRACTION for value in draws)
    # At least one document each, of training too.
    test = min(max(test, 1), len(order) - 1 - wanted.validation) if wanted.test else 0
    validation = min(max(validation, 1), len(order) - test - 1) if wanted.validation else 0
    last = len(order) - validation
    return Splits(order[test:last], order[last:], order[:test])


def split_file(document: Document, wanted: Wanted) -> Splits:
    """The last twentieth is the test, the one before it the validation, cut at paragraph breaks.

    Args:
        document: the file.
        wanted: the splits that are taken out of it.

    Raises:
        UserError: for a file that is too short.
    """
    text = document.body
    held_out = int(HELD_OUT_FRACTION * len(text))
    ends = [len(text)]
    for _ in range(wanted.test + wanted.validation):
        ends.append(last_break(text, ends[-1] // 2, ends[-1] - held_out))
    if not all(0 < begin < end for begin, end in zip(ends[1:], ends)):
        raise UserError(
            f"text: {document.name} is too short ({len(text)} characters) to be cut into training,"
            " validation and test; give a longer text"
        )
    names = ["test"] * wanted.test + ["validation"] * wanted.validation + ["training"]
    parts = {
        name: [document.cut(begin, end, f"{document.name}:{name}")]
        for name, begin, end in zip(names, [*ends[1:], 0], ends, strict=True)
    }
    return Splits(parts["training"], parts.get("validation", []), parts.get("test", []))
