"""Rows: one record a row of tokens, with the tokens of its answers numbered.

Several records in one row, kept apart by position ids and a mask, would waste less. But models
differ in whether they obey either, and in one that does not a record reads another's answers
without a word. A row of its own needs neither: models read from left to right, and what stands
after a record is padding, which nothing before it can see.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch

from kdlib.data.blocks import Blocks
from kdlib.errors import UserError
from kdlib.records.faults import Unusable
from kdlib.records.record import Record
from kdlib.records.template import ChatTemplate


class Encoded(NamedTuple):
    """A record in tokens.

    Attributes:
        ids: (S,) int64, all of its tokens.
        answer: (S,) int32, the number of the answer that a token belongs to, from 1; 0 for others.
        bytes: UTF-8 bytes of the answers, their stop tokens not among them.
    """

    ids: np.ndarray
    answer: np.ndarray
    bytes: int


def encode(record: Record, template: ChatTemplate) -> Encoded:
    """A record in tokens.

    A token belongs to the answer that holds its last character: one that begins in the prompt and
    ends in the answer is what a model has to say first.

    Args:
        record: any record.
        template: of the model that reads it.

    Raises:
        Unusable: as `ChatTemplate.render`.
    """
    rendering = template.render(record.turns)
    encoding = template.tokenizer.backend_tokenizer.encode(rendering.text, add_special_tokens=False)
    # By its last character: some tokenizers leave a token's leading blanks out of its place.
    last = np.array([end for _, end in encoding.offsets]) - 1
    answer = np.zeros(len(last), np.int32)
    for number, (start, end) in enumerate(rendering.answers, start=1):
        answer[(start <= last) & (last < end)] = number
    said = sum(len(turn.content.encode()) for turn in record.answers)
    return Encoded(np.array(encoding.ids), answer, said)


def fitting(
    records: Iterable[Record], template: ChatTemplate, length: int
) -> tuple[list[Record], Counter[str]]:
    """The records that a model can read whole, and why the others are left out.

    Args:
        records: any records.
        template: of the model.
        length: tokens that a row predicts; it holds one more.
    """
    kept, left_out = [], Counter[str]()
    for record in records:
        try:
            if len(encode(record, template).ids) <= length + 1:
                kept.append(record)
            else:
                left_out[f"longer than {length + 1:,} tokens, see --data.block"] += 1
        except Unusable as reason:
            left_out[str(reason)] += 1
    return kept, left_out


def make_rows(records: list[Record], template: ChatTemplate, length: int, padding: int) -> Blocks:
    """Records as blocks of one length, each padded on its right.

    Args:
        records: all fit (see `fitting`).
        template: of the model that reads them.
        length: tokens that a row predicts; it holds one more.
        padding: the id that fills a row up. No model is asked about it.

    Raises:
        UserError: for fewer than two records.
    """
    if len(records) < 2:
        raise UserError(
            f"data.records: {len(records)} of them is too few for a split; give more records, or a"
            " larger fraction"
        )
    encoded = [encode(record, template) for record in records]
    shape = (len(records), length + 1)
    ids, mask = torch.full(shape, padding), torch.zeros(shape, dtype=torch.int64)
    answer = torch.zeros(shape, dtype=torch.int32)
    for row, record in enumerate(encoded):
        size = len(record.ids)
        ids[row, :size] = torch.from_numpy(record.ids)
        answer[row, :size] = torch.from_numpy(record.answer)
        mask[row, :size] = 1
    document = torch.arange(len(records), dtype=torch.int32)[:, None].expand(shape).contiguous()
    return Blocks(ids, mask, sum(record.bytes for record in encoded), document, answer)
