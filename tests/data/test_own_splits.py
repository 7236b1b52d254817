"""A validation and a test of one's own, and what they share with the training."""

import random
from itertools import product

import pytest

from kdlib.data.documents import load_splits, load_text
from kdlib.errors import UserError

pytestmark = pytest.mark.door("own validation and test texts")


def prose(seed, paragraphs=60):
    draw = random.Random(seed)
    return "\n\n".join(
        " ".join(f"w{word}" for word in draw.choices(range(4000), k=40)) for _ in range(paragraphs)
    )


@pytest.fixture
def place(tmp_path, monkeypatch):
    (tmp_path / "texts").mkdir()
    for n in range(60):
        (tmp_path / "texts" / f"{n}.txt").write_text(prose(n, 3))
    (tmp_path / "own").mkdir()
    for n in range(4):
        (tmp_path / "own" / f"own {n}.txt").write_text(prose(100 + n, 3))
    (tmp_path / "book.txt").write_text(prose("book"))
    (tmp_path / "exam.txt").write_text(prose("exam"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def texts(documents):
    return [document.text for document in documents]


def test_of_a_folder_only_what_is_not_given_is_drawn(place):
    drawn = load_splits("texts")
    with_test = load_text("texts", test="exam.txt").splits
    assert texts(with_test.test) == [prose("exam")]
    assert with_test.validation == drawn.validation
    assert with_test.training == drawn.test + drawn.training  # no document is lost
    with_validation = load_text("texts", validation="own").splits
    assert with_validation.test == drawn.test
    assert with_validation.training == drawn.training + drawn.validation
    both = load_text("texts", "own", "exam.txt").splits
    assert sorted(texts(both.training)) == sorted(prose(n, 3) for n in range(60))


def test_of_a_file_only_what_is_not_given_is_cut_off(place):
    for validation, test in product(["", "own"], ["", "exam.txt"]):
        splits = load_text("book.txt", validation, test).splits
        parts = [*splits.training, *(splits.validation * (not validation))]
        parts += splits.test * (not test)
        assert "".join(texts(parts)) == prose("book")
        assert len(splits.training[0].text) > 0.85 * len(prose("book"))


def test_the_years_that_the_corpus_holds_out_stay_held_out(place):
    splits, drawn = load_text("sotu", test="exam.txt").splits, load_splits("sotu")
    assert (splits.training, splits.validation) == (drawn.training, drawn.validation)
    assert texts(splits.test) == [prose("exam")]


def test_what_the_test_holds_is_dropped_from_the_training(place):
    for n in (3, 4, 5):
        (place / "own" / f"known {n}.txt").write_text(prose(n, 3).replace("\n\n", "\n"))
    (place / "own" / "nearly.txt").write_text(prose(6, 3) + " and a few words")
    loaded = load_text("texts", "exam.txt", "own")
    assert sorted(texts(loaded.splits.training)) == sorted(
        prose(n, 3) for n in range(60) if n not in (3, 4, 5, 6)
    )
    assert loaded.facts.duplicates == 3
    assert [(c.document, c.of) for c in loaded.facts.near_copies] == [("6", "nearly")]
    assert len(loaded.splits.test) == 8


def test_what_the_test_holds_is_dropped_from_the_validation(place):
    (place / "both").mkdir()
    (place / "both" / "a.txt").write_text(prose(100, 3))
    (place / "both" / "b.txt").write_text(prose(200, 3))
    loaded = load_text("texts", "both", "own")
    assert texts(loaded.splits.validation) == [prose(200, 3)] and loaded.facts.duplicates == 1


@pytest.mark.parametrize(
    ("text", "validation", "test", "split"),
    [
        ("book.txt", "", "book.txt", "training"),
        ("book.txt", "exam.txt", "exam.txt", "validation"),
        ("texts", "texts", "", "training"),
        ("texts", "", "texts", "training"),
    ],
)
def test_one_text_for_two_splits_is_refused(place, text, validation, test, split):
    with pytest.raises(UserError, match=f"nothing of .* is left for the {split}"):
        load_text(text, validation, test)


def test_a_book_that_holds_the_exam_is_refused(place):
    (place / "book.txt").write_text(prose("book") + "\n\n" + prose("exam"))
    with pytest.raises(UserError, match=r"left for the training.*book:training of exam"):
        load_text("book.txt", test="exam.txt")


@pytest.mark.parametrize(("which", "flag"), [(1, "data.validation"), (2, "data.test")])
def test_a_text_that_cannot_be_read_is_refused_by_its_own_flag(place, which, flag):
    for name in ("nowhere.txt", "empty"):
        (place / "empty").mkdir(exist_ok=True)
        with pytest.raises(UserError, match=f"^{flag}: {name} (does not exist|holds 0)"):
            load_text(*("texts", *["exam.txt"] * (which - 1), name))


def test_a_folder_needs_only_as_many_documents_as_are_taken_out_of_it(place):
    (place / "one").mkdir()
    (place / "one" / "only.txt").write_text(prose(1, 3))
    assert len(load_text("one", "own", "exam.txt").splits.training) == 1
    with pytest.raises(UserError, match="holds 1 .txt files; at least 2 are needed"):
        load_text("one", "own")
