"""A run knows its text: what it was trained on cannot come to stand in its test."""

import dataclasses
from pathlib import Path

import pytest
from little_runs import little, paragraphs, result, run, write_file

from kdlib.errors import UserError
from kdlib.jobs.context import read_text
from kdlib.jobs.measure import measure_again, measure_on
from kdlib.jobs.recipe_files import recipe_of_run
from kdlib.jobs.samples import continuations
from kdlib.training.run_state import read_state

pytestmark = pytest.mark.slow
RUN, BOOK = Path("run"), Path("book.txt")
ROADS = {
    "evaluate": lambda: measure_again(RUN),
    "resume": lambda: run(little(BOOK, seeds=2), RUN, resume=True),
}


@pytest.fixture(params=ROADS)
def go_on(request, workplace):
    """A road by which the run is measured again."""
    return ROADS[request.param]


def replaced(old, new):
    """Exchange words for others of the same length, so that the file is cut where it was."""
    text = BOOK.read_text()
    assert text.count(old) == 1 and len(old) == len(new)
    BOOK.write_text(text.replace(old, new))


def test_paragraphs_in_another_order_are_refused_by_name(go_on):
    """Their last twentieth, the test, is now what the student was trained on."""
    write_file(BOOK, reversed(paragraphs(400)))
    before = {path: path.read_bytes() for path in RUN.rglob("*") if path.is_file()}
    with pytest.raises(UserError) as refused:
        go_on()
    words = str(refused.value)
    assert words.startswith("text: book.txt is not the text that run was started with")
    assert "training and student_training and validation and test documents have changed" in words
    assert "--out" in words and "kdlib evaluate --text" in words and "\n" not in words
    assert {path: path.read_bytes() for path in RUN.rglob("*") if path.is_file()} == before


def of_training(seen):
    """The number of a training paragraph that the student has read, or has not."""
    read = "".join(document.text for document in read_text(recipe_of_run(RUN)).seen)
    return next(n for n in range(100, 300) if (f"Number {n}:" in read) == seen)


@pytest.mark.parametrize(
    ("find", "splits"),
    [
        (lambda: of_training(seen=True), "training and student_training"),
        (lambda: of_training(seen=False), "training"),
        (lambda: 370, "validation"),
        (lambda: 399, "test"),
    ],
    ids=["training and student_training", "training", "validation", "test"],
)
def test_only_the_splits_that_differ_are_named(workplace, find, splits):
    paragraph = find()
    replaced(f"Number {paragraph}:", f"Figure {paragraph}:")
    with pytest.raises(UserError, match=f"with: its {splits} documents have changed"):
        measure_again(RUN)


@pytest.fixture
def own_splits(tmp_path, monkeypatch):
    """A finished run with a validation and a test of its own."""
    monkeypatch.chdir(tmp_path)
    for name, seed in (("book", 0), ("tuning", 1), ("exam", 2)):
        write_file(Path(f"{name}.txt"), paragraphs(400 if name == "book" else 60, seed))
    recipe = little(BOOK)
    data = dataclasses.replace(recipe.data, validation="tuning.txt", test="exam.txt")
    run(dataclasses.replace(recipe, data=data), RUN)


@pytest.mark.parametrize(("name", "split"), [("tuning", "validation"), ("exam", "test")])
def test_a_held_out_text_of_its_own_is_guarded_too(own_splits, name, split):
    assert len(set(read_state(RUN)["text"].values())) == 4
    path = Path(f"{name}.txt")
    path.write_text(path.read_text().replace("Number 5:", "Figure 5:"))
    with pytest.raises(UserError, match=f"with: its {split} documents have changed"):
        measure_again(RUN)


def test_a_test_of_its_own_is_what_is_measured_on(own_splits):
    said = measure_on(RUN, "exam.txt")
    assert result(RUN)["student"]["cross_entropy"] == pytest.approx(
        said["student"]["cross_entropy"], rel=1e-6
    )
    assert result(RUN)["data"]["test"]["bytes"] == Path("exam.txt").stat().st_size


def test_the_old_text_put_back_is_the_text_again(go_on):
    expected = result(RUN)["student"]["cross_entropy"]
    replaced("Number 399:", "Figure 399:")
    with pytest.raises(UserError):
        go_on()
    replaced("Figure 399:", "Number 399:")
    assert go_on()["student"]["cross_entropy"] == expected


def test_a_run_without_a_record_is_not_trusted(go_on):
    """One of an older version; its learners may have read anything."""
    state = RUN / "state.json"
    state.write_text(state.read_text().replace('"text"', '"older"'))
    with pytest.raises(UserError, match="is not the text that run was started with"):
        go_on()


def test_the_record_is_that_of_the_report(workplace):
    recorded, report = read_state(RUN)["text"], result(RUN)
    splits = ("training", "student_training", "validation", "test")
    assert recorded == {split: report["data"][split]["sha256"] for split in splits}
    assert len(set(recorded.values())) == 4


# --- What a changed text does not hinder --------------------------------------------------------


def test_any_text_can_be_measured_on(workplace):
    write_file(BOOK, reversed(paragraphs(400)))
    other = write_file(Path("other.txt"), paragraphs(40, seed=9))
    measured = measure_on(RUN, str(other))
    assert measured["verdict"]["worth"] in ("yes", "no", "cannot_tell")


@pytest.mark.parametrize("how", ["changed", "gone", "its own"])
def test_ngrams_are_counted_only_in_what_the_student_read(workplace, how):
    """Counted in a file that was exchanged since, they could know the very text of the test."""
    if how == "changed":
        write_file(BOOK, paragraphs(400, seed=9))
    if how == "gone":
        BOOK.unlink()
    other = write_file(Path("other.txt"), paragraphs(40, seed=9))
    measured = measure_on(RUN, str(other))
    assert ("ngram" in measured) == ("ngram" in measured["advantage"]) == (how == "its own")


def test_without_any_text_the_models_go_on_from_a_prompt(workplace):
    BOOK.unlink()
    said = continuations(RUN, "alpha beta", 3, seed=0)
    assert set(said) == {"teacher", "student", "control_equal_steps"}
