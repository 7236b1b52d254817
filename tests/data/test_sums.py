"""Problems that a program writes: right by another arithmetic, of one length, and checked."""

import re
from collections import Counter

import pytest
import torch

from kdlib.data.blocks import make_blocks
from kdlib.data.documents import load_text
from kdlib.data.sources import open_source
from kdlib.data.sums import PROBLEMS, is_right, question, sums, written_out
from kdlib.data.tokenizer import train_tokenizer


def test_the_working_and_the_answer_are_those_of_the_numbers():
    """Python's own addition, and its remainders, have no columns and no carry."""
    for document in sums():
        a, b, *columns, answer = map(int, re.findall(r"\d+", document.text))
        assert answer == a + b
        for place, column in enumerate(columns, 1):
            below = 10 ** (place - 1)
            assert column == (a % 10**place + b % 10**place) // below
    assert len(columns) == 3


def test_an_example_as_the_description_has_it():
    assert written_out(127, 458) == "127+458=15,08,05:0585"
    assert written_out(0, 9) == "000+009=09,00,00:0009"


def test_all_problems_differ_have_one_length_and_are_always_the_same():
    texts = [document.text for document in sums()]
    assert len(set(texts)) == len(texts) == PROBLEMS
    assert {len(text) for text in texts} == {21}
    assert texts == [document.text for document in open_source("sums").documents]


def test_no_digit_is_rare():
    """Otherwise a share of the problems could not be learned."""
    counts = Counter("".join(question(document.text) for document in sums()))
    digits = [counts[digit] for digit in "0123456789"]
    assert max(digits) < 1.05 * min(digits)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("127+458=15,08,05:0585", True),
        ("127+458=nonsense:0585", True),
        ("127+458=0585", True),
        ("127+458=15,08,05:0584", False),
        ("127+458=15,08,05:585", False),
        ("127+458=15,08,05:0585,", False),
        ("127+458=15,08,05:05850", False),
        ("127+458=", False),
        ("127+458=15,08,05", False),
    ],
)
def test_the_answer_is_judged_and_the_working_is_not(text, right):
    assert is_right(text) is right


def test_a_block_of_the_recipe_holds_one_problem():
    documents = sums()[:300]
    tokenizer = train_tokenizer(documents, 257)
    end = tokenizer.token_to_id("<|endoftext|>")
    blocks = make_blocks(documents, tokenizer, 22, end)
    assert torch.equal(blocks.ids[:, [0, -1]], torch.full((300, 2), end))
    assert [tokenizer.decode(row[1:-1].tolist()) for row in blocks.ids] == [
        document.text for document in documents
    ]


def test_its_splits_are_disjoint_and_all_of_it():
    splits = load_text("sums").splits
    assert sum(map(len, (splits.training, splits.validation, splits.test))) == PROBLEMS
    assert 0.04 < len(splits.test) / PROBLEMS < 0.06
