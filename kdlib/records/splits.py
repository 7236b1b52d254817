"""Splits of records: by what is asked, so that no question of the test has been answered before.

Near copies are not looked for. Records often share a long instruction, by which all of them would
be copies of one another.
"""

from __future__ import annotations

import math

from kdlib.data.document import Document, draw
from kdlib.data.documents import ORDER, Parts
from kdlib.data.splits import Wanted, split_folder
from kdlib.errors import UserError
from kdlib.records.record import Record, as_records


def split_records(name: str, records: list[Record], wanted: Wanted) -> Parts:
    """Split records by a hash of their prompts: answers to one prompt stay together.

    Neither order nor line numbers nor the other records matter, as in a folder of texts.

    Args:
        name: of their file, for the error.
        records: all different.
        wanted: the splits that are taken out of them.

    Raises:
        UserError: for fewer prompts than splits.
    """
    by_prompt: dict[str, list[Record]] = {}
    for record in records:
        by_prompt.setdefault(record.prompt, []).append(record)
    if len(by_prompt) < wanted.fewest:
        raise UserError(
            f"data.records: {name} asks {len(by_prompt)} different questions; at least"
            f" {wanted.fewest} are needed (training, validation, test)"
        )
    splits = split_folder([Document(prompt, prompt) for prompt in by_prompt], wanted)
    return {
        part: [record for prompt in getattr(splits, part) for record in by_prompt[prompt.text]]
        for part in ORDER
    }


def take_share(records: list[Record], fraction: float) -> list[Record]:
    """A fixed choice of whole records; that of a smaller fraction is contained in a larger one's.

    Args:
        records: to choose from.
        fraction: share of them, in (0, 1].

    Returns:
        The chosen ones, in their order.
    """
    order = sorted(range(len(records)), key=lambda place: draw(records[place], "share"))
    chosen = order[: math.ceil(fraction * len(records))]
    return [records[place] for place in sorted(chosen)]


def without_shared_prompts(parts: Parts) -> tuple[Parts, int]:
    """What a later split asks is dropped from the earlier ones.

    Args:
        parts: the records of each split.

    Returns:
        What is left of each, and how many records were dropped.
    """
    known: set[str] = set()
    kept: Parts = {}
    for name in reversed(ORDER):
        records = as_records(parts[name])
        kept[name] = [record for record in records if record.prompt not in known]
        known |= {record.prompt for record in records}
    dropped = sum(len(parts[name]) - len(kept[name]) for name in ORDER)
    return {name: kept[name] for name in ORDER}, dropped
