"""Records in their splits, from a file of all of them or from a file for each split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from kdlib.data.documents import LoadedText, Parts, arrange
from kdlib.data.sources import Source, Watch, unwatched
from kdlib.data.splits import Wanted, split_folder
from kdlib.errors import UserError
from kdlib.records.reading import open_records
from kdlib.records.record import Record, as_records
from kdlib.records.splits import split_records, without_shared_prompts

# The records that a model can read, and why the others are left out.
Fitting = Callable[[list[Record]], tuple[list[Record], Counter[str]]]


def load_records(
    name: str, validation: str, test: str, fitting: Fitting, watch: Watch = unwatched
) -> LoadedText:
    """Load records and split them into training, validation and test.

    Args:
        name: a file of records, or a data set of the hub.
        validation: the same for the validation alone; empty: a share of the records.
        test: the same for the test alone; empty: a share of the records.
        fitting: takes the records that the models can read.
        watch: shows the progress over the records.

    Returns:
        The splits, and what was left out. Of a column "text" they hold documents.

    Raises:
        UserError: for what cannot be read or split, and for splits of which nothing is left.
    """
    wanted = Wanted(not validation, not test)
    source = usable_records(name, fitting, watch)
    given = {"validation": validation, "test": test}
    own = {part: usable_records(path, fitting, watch) for part, path in given.items() if path}
    conversations = {bool(as_records(each.documents)) for each in (source, *own.values())}
    if len(conversations) > 1:
        raise UserError("data.records: some of these files hold conversations and some texts")
    if not conversations.pop():
        drawn = split_folder(source.documents, wanted)
        parts: Parts = {part: getattr(drawn, part) for part in ("training", *given)}
        return arrange(name, [source, *own.values()], parts | _documents(own), [*given], watch)
    drawn_records = split_records(name, as_records(source.documents), wanted)
    parts, shared = without_shared_prompts(drawn_records | _documents(own))
    if shared:
        source.left_out["a prompt that is held out"] += shared
    return arrange(name, [source, *own.values()], parts, [], watch)


def usable_records(name: str, fitting: Fitting, watch: Watch = unwatched) -> Source:
    """The records of a file that the models can read.

    Args:
        name: a file of records, or a data set of the hub.
        fitting: takes the records that the models can read.
        watch: shows the progress over the records.

    Raises:
        UserError: for what cannot be read, and where no record is left.
    """
    source = open_records(name, watch)
    records = as_records(source.documents)
    if not records:
        return source
    kept, too_much = fitting(records)
    left_out = source.left_out + too_much
    if not kept:
        raise UserError(
            f"data.records: of {name} no record can be used:"
            f" {', '.join(f'{count:,} ({reason})' for reason, count in left_out.most_common())}"
        )
    return Source(list(kept), left_out, source.duplicates, "record")


def _documents(own: dict[str, Source]) -> Parts:
    return {name: source.documents for name, source in own.items()}
