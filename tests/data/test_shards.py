"""The tokens of a large text are on the disk, are those of the text in memory, and are made once."""

import json
import random
from pathlib import Path

import pytest
import torch

from kdlib.data import encoding, portions, stored_text
from kdlib.data.blocks import make_blocks
from kdlib.data.document import Document, characters
from kdlib.data.shards import MANIFEST, Preparation
from kdlib.data.stored_blocks import Stream, is_stored, stored_blocks
from kdlib.data.tokenizer import train_tokenizer
from kdlib.errors import UserError

END = 0
WORDS = (
    "alpha  beta\n\ngamma. \u00e9\u00e8 \U0001f642 don't 12345 \t--- \u65e5\u672c\u8a9e \r\n".split(
        " "
    )
)


def text(count, seed=0):
    return " ".join(random.Random(seed).choices(WORDS, k=count))


TOKENIZER = train_tokenizer([Document("a", text(500))], 400)
# Shorter than a stretch, of a few stretches, and of many portions.
DOCUMENTS = [
    Document(str(n), text(count, n))
    for n, count in enumerate([30, 2, 200, 2000, 3, 700, 5000, 60, 60, 60, 900, 7])
]


@pytest.fixture(autouse=True)
def little_portions(monkeypatch):
    monkeypatch.setattr(encoding, "BATCH", 3000)
    monkeypatch.setattr(encoding, "STRETCH", 1000)
    monkeypatch.setattr(encoding, "OVERLAP", 200)
    monkeypatch.setattr(portions, "PORTION", 4000)


def prepared(folder, documents=None):
    """The folder's shards, complete; and how many characters had to be encoded for that."""
    told = []
    work = Preparation(folder, documents or DOCUMENTS)
    done = work.characters_done
    work.finish(TOKENIZER, END, told.append)
    assert work.is_complete and done + sum(told) == characters(documents or DOCUMENTS)
    return work, sum(told)


def blocks_of(work, folder, length):
    return stored_blocks(
        Stream(folder, work.shards, END), sum(each["bytes"] for each in work.shards), length
    )


def same(one, other):
    return all(
        torch.equal(a[:], b[:]) and a.dtype == b[:].dtype
        for a, b in zip(
            (one.ids, one.mask, one.document), (other.ids, other.mask, other.document), strict=True
        )
    )


@pytest.mark.parametrize("length", [8, 33, 1000])
def test_blocks_are_those_of_the_text_in_memory(tmp_path, length):
    work, _ = prepared(tmp_path / "a")
    assert len(work.shards) > 8
    found, expected = (
        blocks_of(work, tmp_path / "a", length),
        make_blocks(DOCUMENTS, TOKENIZER, length, END),
    )
    assert is_stored(found) and not is_stored(expected)
    assert same(found, expected) and found.bytes == expected.bytes
    assert len(found) == len(expected)
    assert found.predicted_tokens == expected.predicted_tokens
    assert torch.equal(found.full(), expected.full())


@pytest.mark.parametrize("seed", range(20))
def test_of_any_documents(tmp_path, seed):
    draw = random.Random(seed)
    counts = [draw.choice([0, 1, 5, 50, 400, 900, 3000]) for _ in range(draw.randint(1, 20))]
    documents = [
        Document(str(n), text(max(count, 30 * (n == 0)), n)) for n, count in enumerate(counts)
    ]
    work, _ = prepared(tmp_path / "a", documents)
    found = blocks_of(work, tmp_path / "a", 9)
    assert same(found, make_blocks(documents, TOKENIZER, 9, END))


def test_documents_on_the_disk_give_the_same_tokens(tmp_path, monkeypatch):
    monkeypatch.setattr(stored_text, "STEP", 64)
    stored = []
    for document in DOCUMENTS:
        path = tmp_path / f"{document.name}.txt"
        path.write_bytes(document.text.encode())
        stored.append(stored_text.open_stored(path, document.name))
    work, _ = prepared(tmp_path / "a", stored)
    found = blocks_of(work, tmp_path / "a", 16)
    assert same(found, make_blocks(DOCUMENTS, TOKENIZER, 16, END))


def test_rows_are_read_as_those_of_a_tensor_are(tmp_path):
    work, _ = prepared(tmp_path / "a")
    found = blocks_of(work, tmp_path / "a", 16)
    expected = make_blocks(DOCUMENTS, TOKENIZER, 16, END)
    number = len(expected)
    some = torch.tensor([3, number - 1, 0, 3, -1])
    keys = [
        0, -1, slice(None), slice(5, 9), slice(0, 0), slice(number - 2, number + 7), slice(0, 30, 7),
        some, some[:0], torch.arange(number) % 5 == 0, (some, slice(0, 4)), (2, slice(1, None)),
        (slice(4, 7), slice(1, None)), (slice(4, 7), 0),
    ]  # fmt: skip
    for key in keys:
        for name in ("ids", "mask", "document"):
            assert torch.equal(getattr(found, name)[key], getattr(expected, name)[key])
    assert found.ids.shape == expected.ids.shape and found.ids.numel() == expected.ids.numel()
    assert torch.equal(found.take(some).ids, expected.take(some).ids)
    assert torch.equal(found.counted(some), expected.counted(some))
    with pytest.raises(IndexError):
        found.ids[number]


def test_what_would_read_the_whole_text_is_refused(tmp_path):
    work, _ = prepared(tmp_path / "a")
    ids = blocks_of(work, tmp_path / "a", 16).ids
    for careless in (lambda: ids + 1, lambda: ids.sum(), lambda: ids.numpy(), lambda: ids == 3):
        with pytest.raises(RuntimeError):
            careless()


def test_a_batch_is_its_own(tmp_path):
    """Neighbouring rows share a token on the disk; in a batch, to change one changes no other."""
    work, _ = prepared(tmp_path / "a")
    rows = blocks_of(work, tmp_path / "a", 16).ids[2:5]
    before = rows.clone()
    rows[1] = -7
    assert torch.equal(rows[[0, 2]], before[[0, 2]])


# --- Made once, and made whole ------------------------------------------------------------------


def test_shards_are_made_once(tmp_path):
    _, first = prepared(tmp_path / "a")
    assert first == characters(DOCUMENTS)
    assert prepared(tmp_path / "a")[1] == 0


@pytest.mark.parametrize("stop", [1, 3000, 9000, 20_000])
def test_who_was_stopped_goes_on(tmp_path, stop):
    told = 0

    def until(characters):
        nonlocal told
        told += characters
        if told >= stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Preparation(tmp_path / "a", DOCUMENTS).finish(TOKENIZER, END, until)
    assert not Preparation(tmp_path / "a", DOCUMENTS).is_complete
    work, again = prepared(tmp_path / "a")
    # What was lost is one portion at most, which may be a document a little longer than a portion.
    assert again <= characters(DOCUMENTS) - told + 2 * portions.PORTION
    assert same(blocks_of(work, tmp_path / "a", 16), make_blocks(DOCUMENTS, TOKENIZER, 16, END))


def _flip(path: Path):
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)


DAMAGE = {
    "flipped": _flip,
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-8]),
    "empty": lambda path: path.write_bytes(b""),
    "gone": lambda path: path.unlink(),
    "another's": lambda path: path.write_bytes(path.with_name("00000.safetensors").read_bytes()),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_shard_is_made_again_and_no_other(tmp_path, damage):
    folder = tmp_path / "a"
    work, _ = prepared(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    DAMAGE[damage](folder / "00003.safetensors")
    again = prepared(folder)[1]
    assert 0 < again <= 2 * portions.PORTION
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    "manifest",
    ["", "[]", "{}", "no json", '{"format": 1}', '{"format": 9, "cut": [4000, 3000, 1000, 200], "shards": []}',
     '{"format": 1, "cut": [4000, 3000, 1000, 200], "shards": [3]}',
     '{"format": 1, "cut": [4000, 3000, 1000, 200]}'],
)  # fmt: skip
def test_a_folder_without_its_manifest_is_made_anew(tmp_path, manifest):
    prepared(tmp_path / "a")
    (tmp_path / "a" / MANIFEST).write_text(manifest)
    work, again = prepared(tmp_path / "a")
    assert again == characters(DOCUMENTS)
    assert json.loads((tmp_path / "a" / MANIFEST).read_text())["shards"] == work.shards


def test_shards_of_another_cut_are_not_taken(tmp_path, monkeypatch):
    prepared(tmp_path / "a")
    monkeypatch.setattr(portions, "PORTION", 5000)
    work, again = prepared(tmp_path / "a")
    assert again == characters(DOCUMENTS)
    assert same(blocks_of(work, tmp_path / "a", 16), make_blocks(DOCUMENTS, TOKENIZER, 16, END))


def test_a_disk_that_refuses_is_named(tmp_path):
    (tmp_path / "a").write_text("a file where the folder is to be")
    with pytest.raises(UserError, match=r"disk: .*a cannot be written"):
        Preparation(tmp_path / "a", DOCUMENTS).finish(TOKENIZER, END, int)


def test_a_long_document_that_cannot_be_cut_is_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(encoding, "_joint", lambda *_: None)
    with pytest.raises(UserError, match="text: 3 has .* cannot read it in stretches"):
        Preparation(tmp_path / "a", DOCUMENTS).finish(TOKENIZER, END, int)
