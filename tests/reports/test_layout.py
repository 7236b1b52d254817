"""Where each scored token stands, against a walk through the text."""

import numpy as np
import pytest
import torch

from kdlib.data.blocks import Blocks, make_blocks
from kdlib.data.document import Document
from kdlib.data.tokenizer import train_tokenizer
from kdlib.reports.layout import Layout, layout_of

EOT, LENGTH = 0, 7
TEXTS = ["one two three", "four", "five six seven eight nine ten", "1", "two two two"]


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([Document("other", "a text with other words")], 260)


def cut(tokenizer, texts):
    documents = [Document(str(number), text) for number, text in enumerate(texts)]
    return make_blocks(documents, tokenizer, LENGTH, EOT)


def walk(tokenizer, texts):
    """(document, block, position, token) of each predicted token."""
    places, at = [], 0
    for number, text in enumerate(texts):
        for token in [*tokenizer.encode(text).ids, EOT]:
            # A block of LENGTH + 1 tokens predicts LENGTH: the first is read only.
            places.append((number, at // LENGTH, at % LENGTH + 1, token))
            at += 1
    return places


def test_every_token_has_its_place(tokenizer):
    blocks = cut(tokenizer, TEXTS)
    layout, expected = layout_of(blocks), walk(tokenizer, TEXTS)
    assert (blocks.mask == 0).any(), "the last block is padded, and padding is not counted"
    assert list(zip(*(part.tolist() for part in layout))) == expected
    assert all(part.dtype == np.int32 for part in layout)
    shared = {(document, block) for document, block, _, _ in expected}
    assert len({block for _, block in shared}) < len(shared), "documents meet within blocks"
    assert len({document for document, _ in shared}) < len(shared), "and go across their borders"


def test_the_token_that_ends_a_document_is_counted_with_it(tokenizer):
    layout = layout_of(cut(tokenizer, TEXTS))
    ends = layout.document[layout.token == EOT]
    assert ends.tolist() == list(range(len(TEXTS)))


def test_padding_on_the_left_is_left_out_too():
    """And the first real token of such a row, which nothing predicts."""
    ids = torch.arange(10).view(2, 5)
    mask = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 0]])
    layout = layout_of(Blocks(ids, mask, 1))
    assert layout.token.tolist() == [3, 4, 6, 7, 8]
    assert layout.block.tolist() == [0, 0, 1, 1, 1]


def test_a_single_document_is_divided_into_its_blocks(tokenizer):
    alone = layout_of(cut(tokenizer, TEXTS[2:3]))
    assert alone.unit == "block" and layout_of(cut(tokenizer, TEXTS[:2])).unit == "document"
    assert len(alone.by_unit(np.ones(len(alone.token)))) == alone.block.max() + 1 > 1


def test_blocks_of_no_documents_are_their_own_units():
    ids = torch.ones(3, 5, dtype=torch.int64)
    layout = layout_of(Blocks(ids, torch.ones_like(ids), 1))
    assert layout.unit == "block"
    assert layout.by_unit(np.ones(12)).tolist() == [4, 4, 4]


@pytest.mark.parametrize("texts", [TEXTS, TEXTS[2:3]])
def test_sums_by_unit_are_those_of_a_loop(tokenizer, texts):
    layout, places = layout_of(cut(tokenizer, texts)), walk(tokenizer, texts)
    quantity = np.random.default_rng(0).normal(size=len(places)).astype(np.float32)
    place_of_unit = 0 if len(texts) > 1 else 1
    sums = {}
    for place, value in zip(places, quantity):
        unit = place[place_of_unit]
        sums[unit] = sums.get(unit, 0.0) + float(value)
    found = layout.by_unit(quantity)
    assert found.dtype == np.float64
    assert found == pytest.approx([sums[unit] for unit in sorted(sums)], abs=1e-12)


def test_many_tokens_add_up_in_float64():
    """In float32 the sum of three million losses of 0.1 is off by more than a thousandth."""
    count = 3_000_000
    zeros = np.zeros(count, dtype=np.int32)
    layout = Layout(zeros, zeros, zeros, zeros)
    total = layout.by_unit(np.full(count, 0.1, dtype=np.float32))[0]
    assert total == pytest.approx(count * float(np.float32(0.1)), rel=1e-9)
