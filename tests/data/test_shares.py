"""Shares of a text: met to the character, nested, and from all over it."""

import random

import pytest

from kdlib.data.document import Document
from kdlib.data.documents import load_splits
from kdlib.data.shares import take_fraction, take_pieces


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


def long_documents(count, paragraphs=200, mark="\n\n", seed=0):
    draw = random.Random(seed)
    return [
        Document(
            f"letter {n}",
            mark.join(
                f"Paragraph {k} of {n} says " + "word " * draw.randint(5, 30) + "at last."
                for k in range(draw.randint(paragraphs, 3 * paragraphs))
            ),
        )
        for n in range(count)
    ]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("fraction", [0.001, 0.01, 0.1, 0.33, 0.9])
def test_a_share_of_few_documents_comes_from_all_over_them(count, fraction):
    documents = long_documents(count)
    whole = sum(len(d.text) for d in documents)
    taken = take_fraction(documents, fraction)
    assert sum(len(d.text) for d in taken) == int(fraction * whole)
    places, before = [], 0
    for document in documents:
        at = 0
        for piece in (d.text for d in taken if d.name == document.name):
            at = document.text.index(piece, at)
            places += range(before + at, before + at + len(piece))
            at += len(piece)
        before += len(document.text)
    # Every tenth of the text has its share, as far as a hundred pieces can be shared out.
    tenths = [sum(whole * k <= 10 * p < whole * (k + 1) for p in places) for k in range(10)]
    if fraction >= 0.1:
        assert all(abs(t / (whole / 10) - fraction) < 0.15 for t in tenths)
    assert all(piece.text.startswith("Paragraph") for piece in taken)


def test_a_smaller_share_of_a_file_is_part_of_a_larger_one():
    [document] = long_documents(1)
    covered = []
    for fraction in (0.05, 0.1, 0.4):
        at, found = 0, set()
        for piece in take_fraction([document], fraction):
            at = document.text.index(piece.text, at)
            found |= set(range(at, at + len(piece.text)))
        covered.append(found)
    assert covered[0] < covered[1] < covered[2]


@pytest.mark.parametrize("text", ["x", "xy", "no spaces" * 3, "x" * 1000, "a\n\n" * 500])
def test_any_text_can_be_shared_out(text):
    for fraction in (0.01, 0.5, 0.99):
        taken = take_fraction([Document("a", text)], fraction)
        assert sum(len(d.text) for d in taken) == int(fraction * len(text))


@pytest.mark.parametrize("fraction", [0.02, 0.1, 0.4, 0.9])
def test_pieces_are_a_share_of_every_document_in_equal_parts(fraction):
    documents = load_splits("sotu").test
    pieces = take_pieces(documents, fraction)
    assert [piece.name for piece in pieces] == [document.name for document in documents]
    assert all(piece.text in document.text for piece, document in zip(pieces, documents))
    whole = sum(len(document.text) for document in documents)
    assert sum(len(piece.text) for piece in pieces) == pytest.approx(fraction * whole, rel=0.01)
    longest = max(len(piece.text) for piece in pieces)
    for piece, document in zip(pieces, documents):
        assert len(piece.text) == min(longest, len(document.text))
        before = document.text[: document.text.index(piece.text)]
        assert before == "" or before.endswith(("\n", ". "))


def test_short_documents_are_taken_whole_and_the_others_make_up_for_it():
    documents = [Document("long", "x" * 1000), Document("short", "y" * 10)]
    documents.append(Document("also long", "z" * 2000))
    pieces = take_pieces(documents, 0.5)
    assert [len(piece.text) for piece in pieces] == [747, 10, 747]  # (1505 - 10) / 2


def test_all_of_the_text_is_the_documents_themselves():
    documents = long_documents(5)
    assert take_pieces(documents, 1.0) == documents
    assert take_pieces([], 0.5) == []


@pytest.mark.parametrize("mark", ["\n\n", "\n", " "])
def test_pieces_begin_where_something_begins(mark):
    for piece in take_pieces(long_documents(20, mark=mark), 0.2):
        assert piece.text.startswith("Paragraph")


def test_pieces_lie_anywhere_and_not_where_the_split_was_drawn(tmp_path):
    """In a test split, whose documents all drew the same end of the scale."""
    for document in long_documents(400, paragraphs=20):
        (tmp_path / f"{document.name}.txt").write_text(document.text)
    documents = load_splits(str(tmp_path)).test
    places = [
        document.text.index(piece.text) / (len(document.text) - len(piece.text))
        for document, piece in zip(documents, take_pieces(documents, 0.1), strict=True)
    ]
    assert len(places) > 8
    assert min(places) < 0.35 and max(places) > 0.65 and 0.25 < sum(places) / len(places) < 0.75


def test_pieces_depend_on_contents_alone():
    documents = long_documents(6)
    pieces = take_pieces(documents, 0.3)
    renamed = [Document("other", document.text) for document in reversed(documents)]
    assert [p.text for p in take_pieces(renamed, 0.3)] == [p.text for p in reversed(pieces)]
    assert take_pieces(documents, 0.3) == pieces


def test_of_many_short_documents_some_are_taken_whole():
    """Pieces of all of them would be scraps of a few letters."""
    documents = [Document(str(n), f"Document {n} says little.") for n in range(1000)]
    taken = take_pieces(documents, 0.02)
    assert set(taken) <= set(documents) and taken == sorted(taken, key=documents.index)
    wanted = 0.02 * sum(len(document.text) for document in documents)
    assert wanted <= sum(len(document.text) for document in taken) < wanted + 30


def test_of_many_documents_that_are_not_so_short_pieces_are_no_scraps():
    documents = long_documents(50)
    taken = take_pieces(documents, 0.002)
    assert 0 < len(taken) < 50
    assert {len(document.text) for document in taken} == {200}
