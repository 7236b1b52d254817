"""Reading records from a file or from the hub, through the library `datasets`."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from kdlib.data.copies import without_duplicates
from kdlib.data.document import Document
from kdlib.data.sources import Source, Watch, unwatched
from kdlib.errors import UserError
from kdlib.records.columns import Row, shape_of
from kdlib.records.faults import Unusable, refuse_no_question, refuse_unusable
from kdlib.records.record import Record, as_records, new_record
from kdlib.records.stdlib import STDLIB, stdlib_records

READERS = {".jsonl": "json", ".ndjson": "json", ".json": "json", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet"}  # fmt: skip
PACKED = ".gz"


def open_records(name: str, watch: Watch = unwatched) -> Source:
    """Read all records of a file or of a data set on the hub.

    Args:
        name: ``"stdlib"`` (see `kdlib.records.stdlib`); path of a ``.jsonl``, ``.json``, ``.csv``, ``.tsv`` or ``.parquet`` file, each also
            with ``.gz``; or OWNER/NAME on the hub, of which the split "train" is read.
        watch: shows the progress over the records.

    Returns:
        Records, or documents for a column "text", each once; and what was left out.

    Raises:
        UserError: for a library that is missing, a file that cannot be read, columns that are not
            known, and where no record is left.
    """
    if name == STDLIB:
        return Source(list(stdlib_records()), Counter())
    documents, left_out = _read(name, True, watch)
    kept = without_duplicates(documents)
    if not kept:
        raise _nothing_left(name, left_out)
    return Source(kept, left_out, len(documents) - len(kept))


def open_questions(name: str, watch: Watch = unwatched) -> tuple[list[Record], Counter[str]]:
    """Read conversations that are to be answered; an answer at their end is left out.

    Args:
        name: as `open_records` takes it, with or without answers.
        watch: shows the progress over the records.

    Returns:
        The conversations, each once and in their order, and why others were left out.

    Raises:
        UserError: as `open_records`.
    """
    if name == STDLIB:
        asked = [new_record(each.name, each.turns[:-1]) for each in stdlib_records()]
        return asked, Counter()
    documents, left_out = _read(name, False, watch)
    kept = as_records(without_duplicates(documents))
    if not kept:
        raise _nothing_left(name, left_out)
    return kept, left_out


def _read(name: str, answered: bool, watch: Watch) -> tuple[list[Document], Counter[str]]:
    """The usable rows of a file as records or documents, and why the others are left out."""
    table = _table(name)
    turns_of = shape_of(name, table.column_names, answered=answered)
    documents: list[Document] = []
    left_out: Counter[str] = Counter()
    for number in watch("reading", list(range(len(table)))):
        where = f"{Path(name).name}:{number + 1}"
        try:
            row = table[number]
            if turns_of is None:
                documents.append(Document(where, _whole_text(row)))
            else:
                turns = turns_of(row)
                (refuse_unusable if answered else refuse_no_question)(turns)
                documents.append(new_record(where, turns))
        except Unusable as reason:
            left_out[str(reason)] += 1
        except UnicodeDecodeError:  # only when a row is looked at
            left_out["not UTF-8"] += 1
    return documents, left_out


def _nothing_left(name: str, left_out: Counter[str]) -> UserError:
    why = ", ".join(f"{count:,} ({reason})" for reason, count in left_out.most_common())
    return UserError(
        f"data.records: {name} holds no record that can be used: {why or 'it is empty'}"
    )


def _whole_text(row: Row) -> str:
    text = row["text"]
    if not isinstance(text, str) or not text.strip():
        raise Unusable("no text")
    return text


def _table(name: str) -> Any:
    """The rows of a file or a data set."""
    if importlib.util.find_spec("datasets") is None:
        raise UserError(
            "data.records: the library datasets is not installed; run: pip install 'kdlib[records]'"
        )
    path = Path(name).expanduser()
    if path.is_dir():
        raise UserError(f"data.records: {name} is a folder; give a file of records")
    if path.is_file():
        return _read_file(name, path)
    if name.count("/") == 1 and not Path(name).suffix and not path.is_absolute():
        return _loaded(name, path=name)
    raise UserError(
        f"data.records: there is no file {name}; give a file of records, or OWNER/NAME for a data"
        " set on the hub"
    )


def _read_file(name: str, path: Path) -> Any:
    suffix = path.suffixes[-2:] if path.suffix.lower() == PACKED else path.suffixes[-1:]
    ending = suffix[0].lower() if suffix else ""
    if ending not in READERS:
        raise UserError(
            f"data.records: {name} is no file of records by its name; known: {', '.join(READERS)},"
            f" each also with {PACKED}"
        )
    if not path.stat().st_size:
        raise UserError(f"data.records: {name} is empty")
    options = _as_texts(name, path, ending) if READERS[ending] == "csv" else {}
    return _loaded(name, path=READERS[ending], data_files=str(path), **options)


def _as_texts(name: str, path: Path, ending: str) -> dict[str, Any]:
    """How a table is read: an answer "042" is no number, and an empty one is not missing."""
    from datasets import Features, Value

    separator = "\t" if ending == ".tsv" else ","
    opened: Any = gzip.open if path.suffix.lower() == PACKED else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            columns = next(csv.reader(file, delimiter=separator), [])
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"data.records: {name} cannot be read: {_cause(error)}") from error
    texts = Features({column: Value("string") for column in columns})
    return {"features": texts, "keep_default_na": False, "sep": separator}


def _loaded(name: str, **where: Any) -> Any:
    """Rows in memory: what the library would cache is made anew each time."""
    import datasets

    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as cache:
        try:
            return datasets.load_dataset(
                **where, split="train", cache_dir=cache, keep_in_memory=True
            )
        except Exception as error:  # of many kinds: the formats', the hub's, the network's
            raise UserError(f"data.records: {name} cannot be read: {_cause(error)}") from error


def _cause(error: BaseException) -> str:
    """The innermost reason, in one line."""
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:200]}…"
