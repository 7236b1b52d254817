"""A long text is encoded a stretch at a time, into the tokens of the whole."""

import random

import numpy as np
import pytest
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from kdlib.data import encoding
from kdlib.data.document import Document
from kdlib.data.encoding import encode_documents
from kdlib.data.tokenizer import train_tokenizer

WORDS = (
    "alpha  beta\n\ngamma. \u00e9\u00e8 \U0001f642 don't 12345 \t--- \u65e5\u672c\u8a9e \r\n".split(
        " "
    )
)


def text(count, seed=0):
    return " ".join(random.Random(seed).choices(WORDS, k=count))


def byte_level():
    return train_tokenizer([Document("a", text(500))], 400)


def metaspace():
    """As SentencePiece has it: a space before the text, words by the one before them."""
    made = Tokenizer(models.Unigram())
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=150, unk_token="<unk>", special_tokens=["<unk>"])
    made.train_from_iterator([text(500)], trainer)
    return made


def llama():
    """No words at all: one run of characters, with spaces made visible."""
    made = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    made.train_from_iterator(
        [text(200).replace(" ", "\u2581")],
        trainers.BpeTrainer(vocab_size=120, special_tokens=["<unk>"], show_progress=False),
    )
    made.normalizer = normalizers.Sequence(
        [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
    )
    return made


def looks_far():
    """Whether anything stands at the end decides how the beginning is read."""
    made = byte_level()
    made.normalizer = normalizers.Replace(pattern=Regex("e(?=(.|\n)*Z)"), content="E")
    return made


@pytest.fixture
def short_stretches(monkeypatch):
    monkeypatch.setattr(encoding, "BATCH", 3000)
    monkeypatch.setattr(encoding, "STRETCH", 1000)
    monkeypatch.setattr(encoding, "OVERLAP", 200)


@pytest.mark.parametrize("make", [byte_level, metaspace, llama])
@pytest.mark.parametrize("words", [900, 1111, 4000])
def test_stretches_have_the_tokens_of_the_whole(short_stretches, make, words):
    tokenizer = make()
    for seed in range(5):
        long = text(words, seed)
        assert len(long) > 3000
        told = []
        [found] = encode_documents([Document("a", long)], tokenizer, told.append)
        assert found.tolist() == tokenizer.encode(long, add_special_tokens=False).ids
        assert sum(told) == len(long) and len(told) > 3


def test_a_tokenizer_that_looks_far_gets_the_whole(short_stretches):
    tokenizer = looks_far()
    long = text(2000) + " Z"
    told = []
    [found] = encode_documents([Document("a", long)], tokenizer, told.append)
    assert found.tolist() == tokenizer.encode(long, add_special_tokens=False).ids
    assert found.tolist() != tokenizer.encode(long[:-2], add_special_tokens=False).ids[: len(found)]
    assert sum(told) == len(long)


def test_documents_of_all_lengths_are_encoded_in_their_order(short_stretches):
    tokenizer, draw = byte_level(), random.Random(3)
    documents = [Document(str(n), text(draw.choice([0, 1, 50, 400, 1500]), n)) for n in range(30)]
    found = encode_documents(documents, tokenizer, int)
    expected = [tokenizer.encode(d.text, add_special_tokens=False).ids for d in documents]
    assert [each.tolist() for each in found] == expected
    assert all(each.dtype == np.int32 for each in found)
