"""Documents stay whole, splits stay apart, and every token is predicted exactly once."""

import pytest
import torch

from kdlib.data.blocks import make_blocks
from kdlib.data.documents import Document, Splits, load_splits, take_fraction
from kdlib.data.tokenizer import END_OF_TEXT, train_tokenizer
from kdlib.errors import UserError

TEXT = "\n\n".join(
    f"Paragraph {n}: the cat sat on mat number {n} and looked at it." for n in range(400)
)


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([Document("a", TEXT)], 300)


@pytest.fixture
def folder(tmp_path):
    for n in range(40):
        (tmp_path / f"{n:02}.txt").write_text(f"Document {n}. " * 30)
    return tmp_path


def test_embedded_corpus_is_split_by_year():
    splits = load_splits("sotu")
    years = {
        name: {d.name[:4] for d in getattr(splits, name)}
        for name in ("training", "validation", "test")
    }
    assert not years["training"] & (years["validation"] | years["test"])
    assert not years["validation"] & years["test"]
    assert {"1807", "1907", "2007"} <= years["test"] and {"1817", "1937"} <= years["validation"]
    assert sum(map(len, (splits.training, splits.validation, splits.test))) == 249


def test_folder_is_split_by_document(folder):
    splits = load_splits(str(folder))
    names = [d.name for part in (splits.training, splits.validation, splits.test) for d in part]
    assert sorted(names) == sorted(p.stem for p in folder.iterdir())
    assert len(splits.validation) == len(splits.test) == 2
    assert load_splits(str(folder)) == splits


def test_file_is_cut_at_paragraphs_and_nothing_is_lost(tmp_path):
    path = tmp_path / "book.txt"
    path.write_text(TEXT)
    splits = load_splits(str(path))
    parts = [splits.training[0].text, splits.validation[0].text, splits.test[0].text]
    assert "".join(parts) == TEXT
    assert all(part.startswith("Paragraph") for part in parts)
    assert 0.04 < len(parts[2]) / len(TEXT) < 0.06


def test_same_text_in_two_splits_is_refused():
    one, same, other = (
        Document("one", "a  text"),
        Document("two", "a text\n"),
        Document("x", "other"),
    )
    with pytest.raises(UserError, match=r"two \(test\) is the same text as one \(training\)"):
        Splits([one], [other], [same])
    Splits([one, same], [other], [Document("y", "third")])  # twice within one split is no leak


def test_leaking_folder_is_refused(folder):
    for path in folder.iterdir():
        path.write_text("the same everywhere")
    with pytest.raises(UserError, match="same text"):
        load_splits(str(folder))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"  \n ", "is empty"),
        (b"\xff\xfe\x00binary", "is not UTF-8"),
        (b"text with \x00 in it", "is binary"),
        (b"short", "too short"),
        (None, "does not exist"),
    ],
)
def test_unusable_file_is_named(tmp_path, content, message):
    path = tmp_path / "bad.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        load_splits(str(path))
    assert "bad" in str(caught.value)


def test_folder_with_too_few_documents_is_refused(tmp_path):
    (tmp_path / "only.txt").write_text("one document")
    with pytest.raises(UserError, match="holds 1 .txt files"):
        load_splits(str(tmp_path))


def test_byte_order_mark_is_not_text(tmp_path):
    path = tmp_path / "bom.txt"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    assert load_splits(str(path)).training[0].text.startswith("Paragraph")


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.33, 1.0])
def test_fraction_is_met_to_the_character(fraction):
    documents = load_splits("sotu").training
    whole = sum(len(d.text) for d in documents)
    taken = take_fraction(documents, fraction)
    assert sum(len(d.text) for d in taken) == int(fraction * whole)
    assert {d.name for d in taken} <= {d.name for d in documents}


def test_smaller_fraction_is_part_of_larger():
    documents = load_splits("sotu").training
    small, large = (take_fraction(documents, f) for f in (0.05, 0.2))
    texts = {d.name: d.text for d in large}
    assert all(texts[d.name].startswith(d.text) for d in small)


def test_tokenizer_spells_any_text(tokenizer):
    for text in ("naïve café", "日本語", "tab\tand\nline", "🙂"):
        assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_blocks_predict_every_token_once(tokenizer):
    documents = [Document("a", TEXT[:4000]), Document("b", TEXT[4000:9000])]
    end = tokenizer.token_to_id(END_OF_TEXT)
    stream = [end]
    for d in documents:
        stream += [*tokenizer.encode(d.text).ids, end]
    blocks = make_blocks(documents, tokenizer, 32, end)
    assert blocks.ids.shape == blocks.mask.shape == (len(blocks), 33)
    predicted = blocks.ids[:, 1:][blocks.mask[:, 1:].bool()]
    assert predicted.tolist() == stream[1:]
    assert blocks.predicted_tokens == len(stream) - 1
    assert torch.equal(blocks.ids[1:, 0], blocks.ids[:-1, -1])
    assert blocks.bytes == len(TEXT[:9000].encode())


def test_end_of_text_is_counted_where_it_is_read_and_not_where_it_pads(tokenizer):
    end = tokenizer.token_to_id(END_OF_TEXT)
    blocks = make_blocks([Document("a", TEXT[:3001])], tokenizer, 32, end)
    padded = blocks.mask[-1] == 0
    assert padded.any() and (blocks.ids[-1][padded] == end).all()
    assert blocks.ids[-1][~padded][-1] == end  # the last real token is an end of text, and counts


def test_too_little_text_for_the_block_length_is_refused(tokenizer):
    with pytest.raises(UserError, match="less than two blocks of 256"):
        make_blocks([Document("a", "a few words")], tokenizer, 256, 0)
