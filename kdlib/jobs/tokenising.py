"""Tokenising text into blocks: once per process for each text, with a bar where it takes long.

The tokens of a large text are made once for all processes and all runs, and kept on the disk.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

import tokenizers
from filelock import FileLock, Timeout

from kdlib.data import stored_text
from kdlib.data.blocks import Blocks, make_blocks, refuse_too_little
from kdlib.data.document import Document, characters, text_sha256
from kdlib.data.separators import separator_id
from kdlib.data.shards import Preparation
from kdlib.data.stored_blocks import Stream, stored_blocks
from kdlib.files import disk_errors_named, user_cache
from kdlib.machine.console import show
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

    Those of a text of `kdlib.data.stored_text.LARGE` characters and more are on the disk.

    Args:
        documents: the texts, or records.
        tokenizer: encodes them.
        length: tokens predicted per block.
        separator: the token between documents, as `separator_id` takes it.
        template: of records, as `ChatTemplate` takes it.

    Raises:
        UserError: for a text of less than two blocks, for one of which the tokenizer loses a part,
            for a separator that is not a token, and for a disk that does not take a large text.
    """
    backend, between = tokenizer.backend_tokenizer, separator_id(tokenizer, separator)
    as_text = hashlib.sha256(backend.to_str().encode()).hexdigest()
    records = as_records(documents)
    chat = ChatTemplate(tokenizer, template) if records else None
    text = text_sha256(documents)
    key = (text, as_text, length, between, chat.source if chat else None)
    if key not in _recent:
        refuse_lost_text(tokenizer, documents)
        if chat:
            _recent[key] = make_rows(records, chat, length, between)
        elif characters(documents) < stored_text.LARGE:
            _recent[key] = _make_blocks(documents, backend, length, between)
        else:
            folder = _shards_folder(text, as_text, between)
            _recent[key] = _store_blocks(folder, documents, backend, length, between)
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


# --- Large texts, on the disk -------------------------------------------------------------------


def _shards_folder(text: str, tokenizer: str, separator: int) -> Path:
    """Where the tokens of a text are kept: named by all that they depend on."""
    made_of = f"{text} {tokenizer} {separator} {tokenizers.__version__}"
    return user_cache() / "tokens" / hashlib.sha256(made_of.encode()).hexdigest()[:32]


def _store_blocks(
    folder: Path, documents: list[Document], tokenizer: Tokenizer, length: int, separator: int
) -> Blocks:
    """Make what is missing of a text's tokens on the disk, and read them from there."""
    with disk_errors_named(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.with_name(f".{folder.name}.lock"))
        _acquire(lock)
    try:
        work = Preparation(folder, documents)
        if not work.is_complete:
            size, done = characters(documents), work.characters_done
            with progress_bar("tokenising", size, done=done, unit="character") as bar:
                work.finish(tokenizer, separator, bar.update)
    finally:
        lock.release()
    stream = Stream(folder, work.shards, separator)
    refuse_too_little(stream.tokens, documents, length)
    return stored_blocks(stream, sum(shard["bytes"] for shard in work.shards), length)


def _acquire(lock: FileLock) -> None:
    """Wait for another process, such as another rank, that prepares the same text."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        show("Another process is tokenising this text; waiting for it.")
        lock.acquire()
