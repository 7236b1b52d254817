"""A byte-level BPE tokenizer, trained on documents."""

from __future__ import annotations

from collections.abc import Iterator

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from kdlib.data.document import Document
from kdlib.data.paragraphs import word_parts
from kdlib.data.stored_text import StoredDocument

END_OF_TEXT = "<|endoftext|>"


def train_tokenizer(documents: list[Document], vocabulary: int) -> Tokenizer:
    """Train a byte-level BPE tokenizer: it can encode any UTF-8 text, no token is ever unknown.

    Args:
        documents: the texts that merges are learnt from.
        vocabulary: number of entries, the 256 bytes and the end-of-text token included.

    Returns:
        The tokenizer; its end-of-text token is ``END_OF_TEXT``.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(documents), trainer)
    return tokenizer


def _texts(documents: list[Document]) -> Iterator[str]:
    """The texts, whole; of documents on the disk a part at a time, each of whole words."""
    for document in documents:
        if isinstance(document, StoredDocument):
            yield from word_parts(document.body)
        else:
            yield document.text
