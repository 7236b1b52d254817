"""Tokenising text into blocks: once per process for each text, with a bar where it takes long."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING

from kdlib.data.blocks import Blocks, make_blocks
from kdlib.data.document import Document, characters, text_sha256
from kdlib.data.separators import separator_id
from kdlib.machine.progress import progress_bar
from kdlib.models.lossless import refuse_lost_text
from kdlib.records.record import as_records
from kdlib.records.rows import make_rows
from kdlib.records.template import ChatTemplate

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

LONG = 2**24  # characters; fewer are tokenised before a bar can be read
KEPT = 4  # texts: what the student reads, all of the training, validation and test
_recent: OrderedDict[tuple[str, str, int, int, str | None], Blocks] = OrderedDict()


def tokenise(
    documents: list[Document],
    tokenizer: PreTrainedTokenizerFast,
    length: int,
    separator: str,
    template: str = "",
) -> Blocks:
    """Tokenise documents into blocks. Those of the last few texts are kept, to be asked for again.

    Args:
        documents: the texts, or records.
        tokenizer: encodes them.
        length: tokens predicted per block.
        separator: the token between documents, as `separator_id` takes it.
        template: of records, as `ChatTemplate` takes it.

    Raises:
        UserError: for a text of less than two blocks, for one of which the tokenizer loses a part,
            and for a separator that is not a token.
    """
    backend, between = tokenizer.backend_tokenizer, separator_id(tokenizer, separator)
    as_text = hashlib.sha256(backend.to_str().encode()).hexdigest()
    records = as_records(documents)
    chat = ChatTemplate(tokenizer, template) if records else None
    key = (text_sha256(documents), as_text, length, between, chat.source if chat else None)
    if key not in _recent:
        refuse_lost_text(tokenizer, documents)
        _recent[key] = (
            make_rows(records, chat, length, between)
            if chat
            else _make_blocks(documents, backend, length, between)
        )
    _recent.move_to_end(key)
    while len(_recent) > KEPT:
        _recent.popitem(last=False)
    return _recent[key]


def _make_blocks(
    documents: list[Document], tokenizer: Tokenizer, length: int, separator: int
) -> Blocks:
    size = characters(documents)
    if size < LONG:
        return make_blocks(documents, tokenizer, length, separator)
    with progress_bar("tokenising", size, unit="character") as bar:
        return make_blocks(documents, tokenizer, length, separator, bar.update)
