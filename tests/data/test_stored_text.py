"""A text that stays on the disk is read as the text itself is, and refused as a small one is."""

import os
import random

import pytest

from kdlib.data import paragraphs, stored_text
from kdlib.data.document import Document, characters, fingerprint, text_sha256, utf8_bytes
from kdlib.data.documents import load_text
from kdlib.data.paragraphs import last_break, word_parts
from kdlib.data.shares import take_fraction, take_pieces
from kdlib.data.stored_text import StoredDocument, open_stored
from kdlib.data.text_files import read_text_file
from kdlib.errors import UserError
from kdlib.files import CACHE_VARIABLE

WORDS = (
    "alpha  beta\n\ngamma. \u00e9\u00e8 \U0001f642 don't 12345 \t--- \u65e5\u672c\u8a9e \r\n".split(
        " "
    )
)


def text(count, seed=0):
    return " ".join(random.Random(seed).choices(WORDS, k=count))


@pytest.fixture
def little_steps(monkeypatch):
    """Everything is large, and read a few characters at a time."""
    monkeypatch.setattr(stored_text, "LARGE", 0)
    monkeypatch.setattr(stored_text, "STEP", 7)
    monkeypatch.setattr(paragraphs, "PART", 50)
    monkeypatch.setattr(paragraphs, "LOOK", 3)


def stored(path, content):
    path.write_bytes(content.encode())
    return open_stored(path, "a")


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("make", [text, lambda count: "plain words " * count])
def test_any_part_is_that_of_the_string(little_steps, tmp_path, make, mark):
    whole = make(300)
    document = stored(tmp_path / "a.txt", mark + whole)
    assert isinstance(document, StoredDocument)
    assert len(document.body) == len(whole) and document.text == whole
    draw = random.Random(1)
    for _ in range(300):
        begin, end = (draw.choice([None, draw.randint(-20, len(whole) + 20)]) for _ in range(2))
        assert document.body[begin:end] == whole[begin:end]
        part = document.cut(begin or 0, len(whole) if end is None else end)
        assert part.text == Document("a", whole).cut(begin or 0, end or len(whole)).text or end == 0


def test_what_is_known_of_a_document_is_known_of_a_stored_one(little_steps, tmp_path):
    whole = text(400)
    here, there = Document("a", whole), stored(tmp_path / "a.txt", whole)
    assert list(word_parts(there.body)) == list(word_parts(whole))
    for known in (fingerprint, lambda each: text_sha256([each]), lambda each: utf8_bytes([each])):
        assert known(here) == known(there)
    assert characters([there, there]) == 2 * len(whole)
    for earliest in range(-10, len(whole), 37):
        for latest in range(0, len(whole) + 10, 53):
            places = [last_break(each.body, earliest, latest) for each in (here, there)]
            assert places[0] == places[1]


def test_a_text_on_the_disk_is_split_and_shared_out_as_one_in_memory(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    folder, book = tmp_path / "texts", tmp_path / "book.txt"
    folder.mkdir()
    for n in range(60):
        (folder / f"{n}.txt").write_text(text(40 + n, n))
    for n in range(10):  # nearly the same as another
        (folder / f"copy {n}.txt").write_text(text(40 + n, n) + " and no more")
    (folder / "again.txt").write_text(text(40))
    book.write_text(text(3000))
    for source in (folder, book):
        here = load_text(str(source))
        with monkeypatch.context() as patch:
            patch.setattr(stored_text, "LARGE", 0)
            patch.setattr(stored_text, "STEP", 64)
            there = load_text(str(source))
        assert there.facts == here.facts
        for name in ("training", "validation", "test"):
            of_memory, of_disk = getattr(here.splits, name), getattr(there.splits, name)
            assert all(isinstance(each, StoredDocument) for each in of_disk)
            for take in (take_fraction, take_pieces):
                for fraction in (0.1, 0.5, 1.0):
                    taken = [take(each, fraction) for each in (of_memory, of_disk)]
                    names = [[(d.name, d.text) for d in documents] for documents in taken]
                    assert names[0] == names[1]


BAD = {
    "empty": b"",
    "blank": b" \n\t ",
    "gzip": b"\x1f\x8b" + b"text" * 100,
    "utf-16": "\ufeffwords and words".encode("utf-16"),
    "utf-16 without a mark": ("words and words " * 90).encode("utf-16-le"),
    "latin-1": ("\u00e9t\u00e9 " * 300).encode("latin-1"),
    "latin-1 at the end": b"words " * 300 + b"\xe9t\xe9",
    "latin-1 after a mark": b"\xef\xbb\xbf" + b"words " * 30 + b"\xe9t\xe9 and tea",
    "a character cut off": b"words " * 300 + "\u65e5".encode()[:2],
    "a NUL": b"words " * 300 + b"\0" + b" words" * 300,
    "html": b"<!doctype html><html><body>" + b"<p>words</p>" * 300 + b"</body></html>",
    "json lines": b'{"text": "words"}\n' * 300,
    "json": b'{"text": [' + b'"words", ' * 300 + b'"end"]}',
    "a table": b"one,two,three\n" * 300,
}


@pytest.mark.parametrize("name", BAD)
def test_a_large_file_is_refused_in_the_words_for_a_small_one(
    little_steps, monkeypatch, tmp_path, name
):
    monkeypatch.setattr(stored_text, "BEGINNING", 1500)
    monkeypatch.setattr(stored_text, "END", 100)
    path = tmp_path / "a.txt"
    path.write_bytes(BAD[name])
    refusals = []
    for read in (read_text_file, lambda path: open_stored(path, "a")):
        with pytest.raises(UserError) as caught:
            read(path)
        refusals.append((type(caught.value), str(caught.value)))
    assert refusals[0] == refusals[1]


@pytest.mark.parametrize("name", ["not there.txt", "", "pipe.txt", "a\0b"])
def test_what_is_no_file_is_refused_as_before(little_steps, tmp_path, name):
    if name == "pipe.txt":
        if not hasattr(os, "mkfifo"):
            pytest.skip("Windows keeps no named pipes in folders")
        os.mkfifo(tmp_path / name)
    refusals = []
    for read in (read_text_file, lambda path: open_stored(path, "a")):
        with pytest.raises(UserError) as caught:
            read(tmp_path / name)
        refusals.append(str(caught.value))
    assert refusals[0] == refusals[1]


@pytest.mark.parametrize("beginning", ["[Music] ", "{curly} ", '["a", ', "<b>bold</b> "])
def test_text_that_only_begins_like_something_else_is_text(
    little_steps, monkeypatch, tmp_path, beginning
):
    monkeypatch.setattr(stored_text, "BEGINNING", 1500)
    whole = beginning + "said the reader, and went on. " * 200
    assert stored(tmp_path / "a.txt", whole).text == whole


def test_a_file_that_changed_in_between_is_refused(little_steps, tmp_path):
    path = tmp_path / "a.txt"
    document = stored(path, text(100))
    path.write_text(text(100, seed=1))
    with pytest.raises(UserError, match=r"a\.txt has changed since it was first read"):
        document.body[3:9]
    path.unlink()
    with pytest.raises(UserError, match=r"a\.txt cannot be read"):
        document.body[3:9]
