"""Documents stay whole, splits stay apart, and every token is predicted exactly once."""

import hashlib

import pytest
import torch

from kdlib.data.blocks import make_blocks
from kdlib.data.document import Document, text_sha256
from kdlib.data.documents import load_splits
from kdlib.data.splits import Splits
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
    assert splits.validation and splits.test and len(splits.training) > 30
    assert load_splits(str(folder)) == splits


def split_of_each_text(folder):
    splits = load_splits(str(folder))
    return {
        document.text: split
        for split in ("training", "validation", "test")
        for document in getattr(splits, split)
    }


def write_letters(folder, numbers, name="{:03}.txt"):
    folder.mkdir(exist_ok=True)
    for n in numbers:
        (folder / name.format(n)).write_text(f"Letter number {n}.\n\n" + f"Dear {n}, " * 20)


def test_a_new_file_moves_no_old_one(tmp_path):
    write_letters(tmp_path, range(200))
    before = split_of_each_text(tmp_path)
    sizes = [list(before.values()).count(split) for split in ("validation", "test")]
    assert all(2 <= size <= 25 for size in sizes)  # a binomial of 200 and 1/20, by five sigmas
    for first in (200, 201, 203, 250):
        write_letters(tmp_path, range(first, first + 50))
        after = split_of_each_text(tmp_path)
        assert {text: after[text] for text in before} == before


def test_names_and_order_of_the_files_do_not_matter(tmp_path):
    write_letters(tmp_path / "one", range(60))
    write_letters(tmp_path / "other", reversed(range(60)), name="x{:x}-renamed.txt")
    (tmp_path / "other" / "x0-renamed.txt").rename(tmp_path / "other" / "zzz.txt")
    one, other = (load_splits(str(tmp_path / name)) for name in ("one", "other"))
    for split in ("training", "validation", "test"):
        texts = [[document.text for document in getattr(s, split)] for s in (one, other)]
        assert texts[0] == texts[1]


@pytest.mark.parametrize("count", [3, 4, 5, 10, 30])
def test_a_small_folder_has_one_of_each_and_a_new_file_moves_at_most_one(tmp_path, count):
    moved = []
    for trial in range(20):
        folder = tmp_path / str(trial)
        write_letters(folder, range(1000 * trial, 1000 * trial + count))
        before = split_of_each_text(folder)
        assert set(before.values()) == {"training", "validation", "test"}
        write_letters(folder, [1000 * trial + 999], name="-new{}.txt")
        after = split_of_each_text(folder)
        moved.append([(before[t], after[t]) for t in before if after[t] != before[t]])
    if count >= 5:  # smaller ones may give a document up to the other split
        assert all(len(m) <= 1 for m in moved)
        assert all(new == "training" for m in moved for _, new in m)


def test_a_document_is_named_by_its_path_below_the_folder(tmp_path):
    for place in ("a/letter.txt", "b/letter.txt", "b/c.d/letter.v2.txt", "top.txt"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(f"What stands in {place}.")
    splits = load_splits(str(tmp_path))
    names = [d.name for part in (splits.training, splits.validation, splits.test) for d in part]
    assert sorted(names) == ["a/letter", "b/c.d/letter.v2", "b/letter", "top"]


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


def test_hash_of_a_text_knows_its_words_its_order_and_its_borders():
    def sha(*texts):
        return text_sha256([Document(str(n), text) for n, text in enumerate(texts)])

    different = [
        sha(),
        sha(""),
        sha("", ""),
        sha("ab", "c"),
        sha("a", "bc"),
        sha("abc"),
        sha("c", "ab"),
        sha("ab", "c", ""),
        sha("ab ", "c"),
        sha("ab\0c"),
    ]
    assert len(set(different)) == len(different)
    assert all(len(value) == 64 for value in different)
    assert text_sha256([Document("renamed", "ab"), Document("too", "c")]) == sha("ab", "c")
    digests = b"".join(hashlib.sha256(text).digest() for text in (b"ab", "ü".encode()))
    assert sha("ab", "ü") == hashlib.sha256(digests).hexdigest()  # so that anyone can check it


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
