"""A text is cut into blocks once per process, with the separator that the recipe asks for."""

from pathlib import Path

import pytest
from little_runs import little, paragraphs, write_file

from kdlib.data.document import Document
from kdlib.data.tokenizer import train_tokenizer
from kdlib.errors import UserError
from kdlib.jobs import tokenising
from kdlib.jobs.context import RunModels, read_text
from kdlib.jobs.data_settings import Data
from kdlib.jobs.recipe import Recipe
from kdlib.models.folders import wrap_tokenizer

DOCUMENTS = [Document(str(n), text) for n, text in enumerate(paragraphs(30))]


@pytest.fixture
def calls(monkeypatch):
    """The documents of every call of the function that tokenises."""
    made, original = [], tokenising.make_blocks
    monkeypatch.setattr(tokenising, "_recent", type(tokenising._recent)())

    def counted(documents, *others):
        made.append(documents)
        return original(documents, *others)

    monkeypatch.setattr(tokenising, "make_blocks", counted)
    return made


def tokenizer(vocabulary=280):
    return wrap_tokenizer(train_tokenizer(DOCUMENTS, vocabulary), 64)


def models(**data):
    return RunModels(Recipe(data=Data(block=16, **data)), Path("run"))


def test_the_same_text_is_cut_once(calls):
    first = models().blocks(DOCUMENTS, tokenizer())
    renamed = [Document("other", d.text) for d in DOCUMENTS]
    assert models().blocks(renamed, tokenizer()) is first and len(calls) == 1


def test_another_text_tokenizer_length_or_separator_is_cut_anew(calls):
    first = models().blocks(DOCUMENTS, tokenizer())
    others = [
        models().blocks(DOCUMENTS[::-1], tokenizer()),
        models().blocks(DOCUMENTS, tokenizer(270)),
        RunModels(Recipe(data=Data(block=8)), Path("run")).blocks(DOCUMENTS, tokenizer()),
        models(separator="a").blocks(DOCUMENTS, tokenizer()),
    ]
    assert len(calls) == 5 and all(each is not first for each in others)


def test_few_texts_are_kept(calls):
    for n in range(10):
        models().blocks(DOCUMENTS[n:], tokenizer())
    assert len(tokenising._recent) == tokenising.KEPT


@pytest.mark.parametrize("separator", ["a", "."])
def test_the_separator_of_the_recipe_stands_around_every_document(calls, separator):
    trained = tokenizer()
    between = trained.backend_tokenizer.encode(separator).ids
    stream = list(between)
    for document in DOCUMENTS:
        stream += trained.backend_tokenizer.encode(document.text).ids + between
    blocks = models(separator=separator).blocks(DOCUMENTS, trained)
    predicted = blocks.ids[:, 1:][blocks.mask[:, 1:] == 1]
    assert [int(blocks.ids[0, 0]), *predicted.tolist()] == stream


def test_a_separator_that_is_no_token_is_refused(calls):
    with pytest.raises(UserError, match="data.separator: 'the end' is"):
        models(separator="the end").blocks(DOCUMENTS, tokenizer())


def test_too_little_text_is_refused_by_the_name_of_its_split(calls, tmp_path):
    text = read_text(little(write_file(tmp_path / "book.txt", paragraphs(20))))
    for documents, name in ((text.test, "book:test"), (text.splits.validation, "book:validation")):
        with pytest.raises(UserError, match=rf"only \d+ tokens in {name}, less than two blocks"):
            RunModels(Recipe(data=Data(block=128)), Path("run")).blocks(documents, tokenizer())


def test_a_long_text_has_a_bar(calls, monkeypatch, capsys):
    monkeypatch.setattr(tokenising, "LONG", 100)
    models().blocks(DOCUMENTS, tokenizer())
    assert "tokenising" in capsys.readouterr().err
