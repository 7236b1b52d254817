"""Which document each token of a block belongs to. How text is cut: test_documents.py."""

import pytest
import torch

from kdlib.data.blocks import make_blocks
from kdlib.data.document import Document
from kdlib.data.tokenizer import train_tokenizer

EOT = 0
WORDS = "the cat sat on the mat and looked at it"


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([Document("a", WORDS)], 270)


def texts(*repeats):
    """Documents of as many copies of the words: shorter than a block, and longer."""
    return [Document(str(n), " ".join([WORDS] * count)) for n, count in enumerate(repeats)]


def stream(tokenizer, documents):
    """Token and number of its document, in order: each text, then the token that ends it."""
    return [
        (token, number)
        for number, document in enumerate(documents)
        for token in [*tokenizer.encode(document.text).ids, EOT]
    ]


@pytest.mark.parametrize("length", [3, 8, 10, 17])
@pytest.mark.parametrize("repeats", [(1, 3, 1, 2), (5,), (1, 1, 1, 1, 1, 1)])
def test_every_token_knows_its_document(tokenizer, repeats, length):
    documents = texts(*repeats)
    blocks = make_blocks(documents, tokenizer, length, EOT)
    assert blocks.document.shape == blocks.ids.shape and blocks.document.dtype == torch.int32
    # What is predicted, one block after another, is the stream.
    predicted = blocks.mask[:, 1:].bool()
    found = zip(blocks.ids[:, 1:][predicted].tolist(), blocks.document[:, 1:][predicted].tolist())
    assert list(found) == stream(tokenizer, documents)


def test_an_overlap_has_one_document(tokenizer):
    """The token that ends a block begins the next one, and is the same token."""
    blocks = make_blocks(texts(1, 3, 1, 2), tokenizer, 8, EOT)
    assert len(blocks) > 3
    assert torch.equal(blocks.document[1:, 0], blocks.document[:-1, -1])


def test_the_first_token_is_read_with_the_first_document_and_padding_with_the_last(tokenizer):
    blocks = make_blocks(texts(1, 3, 1, 2), tokenizer, 17, EOT)
    assert blocks.document[0, 0] == 0
    assert (blocks.mask == 0).any()
    assert (blocks.document[blocks.mask == 0] == 3).all()


def test_documents_of_one_word_share_a_block(tokenizer):
    documents = [Document(str(n), "cat") for n in range(9)]
    blocks = make_blocks(documents, tokenizer, 8, EOT)
    assert blocks.document.unique().tolist() == list(range(9))
