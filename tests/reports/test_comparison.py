"""Runs side by side: each its own column, students token by token, and refusals by name."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
from score_cases import layout, token_scores

from kdlib.errors import UserError
from kdlib.reports.comparison import compare_runs
from kdlib.reports.fields import FORMAT
from kdlib.reports.score_file import Scores, scores_path, write_scores

TEXT, OTHER_TEXT = "a" * 64, "b" * 64
REPORT = {
    "format": FORMAT,
    "seed": 0,
    "recipe": {"objective": {"weighing": "alpha", "weight": 0.5, "temperature": 2.0, "divergence": "skew_kl"}},
    "data": {"text": "sotu", "test": {"sha256": TEXT, "tokens": 1000}},
    "teacher": {"cross_entropy": 3.0},
    "student": {"cross_entropy": 4.125, "parameters": 1_090_000},
    "advantage": {"control_equal_steps": {"value": 0.31}},
    "gap_closed": {"value": 0.25},
    "seconds": {"total": 61.0},
}  # fmt: skip


@pytest.fixture
def make_run(tmp_path):
    def make(name, students=(), where=None, **changes):
        """A run with this report, and the scores of its students, if there are any."""
        folder = tmp_path / name
        folder.mkdir()
        (folder / "recipe.toml").touch()
        (folder / "state.json").touch()
        report = copy.deepcopy(REPORT) | changes
        (folder / "report.json").write_text(json.dumps(report))
        if students:
            write_students(folder, dict(students), where or layout())
        return folder

    return make


def write_students(folder, students, where):
    """The scores of students with these losses on each token, by name."""
    losses = {name: np.asarray(nll, dtype=np.float32) for name, nll in students.items()}
    whole = {"student": token_scores(losses.pop("student"))}
    write_scores(scores_path(folder, TEXT), Scores(where, where, 1, whole, losses), {"any": "text"})


def row(text, label):
    line = next(line for line in text.splitlines() if line.startswith(label))
    return line.removeprefix(label).split()


# --- The table ----------------------------------------------------------------------------------


def test_each_run_has_its_column(make_run):
    other = {"cross_entropy": 3.9, "parameters": 400_000}
    text = compare_runs([make_run("one"), make_run("two", student=other, seed=7)])
    assert text.splitlines()[0].split() == ["one", "two"]
    assert row(text, "cross-entropy, nats/token") == ["4.125", "3.900"]
    assert row(text, "parameters") == ["1.09", "M", "400", "k"]
    assert row(text, "seed") == ["0", "7"]
    assert row(text, "objective") == ["alpha", "0.5,", "T", "2"] * 2
    assert "do not compare" not in text


def test_settings_in_which_runs_differ_are_shown(make_run):
    same, other = REPORT["recipe"]["objective"], {"weighing": "lambda", "weight": 2.0}
    one = {"objective": same, "targets": {"kind": "sampled", "k": 50}, "compile": False, "seeds": 1}
    two = {"objective": same | other, "targets": {"kind": "sampled", "k": 200}, "compile": False, "seeds": 3}  # fmt: skip
    text = compare_runs([make_run("one", recipe=one), make_run("two", recipe=two)])
    assert row(text, "targets.k") == ["50", "200"]
    assert row(text, "seeds") == ["1", "3"]
    for known in ("targets.kind", "compile", "objective.weight"):
        assert known not in text


def test_a_run_without_controls_has_dashes(make_run):
    report = {name: part for name, part in REPORT.items() if name != "gap_closed"}
    folder = make_run("one")
    (folder / "report.json").write_text(json.dumps(report | {"advantage": {}}))
    text = compare_runs([folder])
    assert row(text, "ahead of equal steps") == row(text, "gap closed") == ["-"]


def test_the_folder_that_one_is_in_has_its_name(make_run, monkeypatch):
    make_run("one", {"student": HARD})
    monkeypatch.chdir(make_run("two", {"student": HARD - 1}))
    text = compare_runs([Path("."), Path("../one")])
    assert text.splitlines()[0].split() == ["two", "one"]
    assert text.splitlines()[-1].startswith("one is behind two by 1.000")


# --- What does not compare ----------------------------------------------------------------------


def test_runs_on_two_texts_are_refused_by_name(make_run):
    other = {"text": "book.txt", "test": {"sha256": OTHER_TEXT, "tokens": 1000}}
    folders = [make_run("one"), make_run("two"), make_run("three", data=other)]
    with pytest.raises(UserError) as refused:
        compare_runs(folders)
    words = str(refused.value)
    assert "\n" not in words and words.startswith("compare: the test text of ")
    for named in (folders[2], "book.txt", folders[0], "sotu"):
        assert str(named) in words
    assert str(folders[1]) not in words


def test_the_same_text_by_another_name_compares(make_run):
    renamed = {"text": "copy.txt", "test": {"sha256": TEXT, "tokens": 999}}
    assert "do not compare" not in compare_runs([make_run("one"), make_run("two", data=renamed)])


def test_other_teachers_are_said(make_run):
    text = compare_runs([make_run("one"), make_run("two", teacher={"cross_entropy": 3.1})])
    assert text.endswith(
        "The teachers of these runs differ: their KL and agreement do not compare."
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "has no report yet"),
        ("{", "is damaged"),
        ('{"format": "kdlib-report-1"}', "of another version"),
    ],
)
def test_a_report_that_cannot_be_read(make_run, content, message):
    folder = make_run("one")
    (folder / "report.json").unlink()
    if content is not None:
        (folder / "report.json").write_text(content)
    with pytest.raises(UserError, match=message):
        compare_runs([folder])


# --- One student against another, token by token ------------------------------------------------

# Documents of 5, 3 and 4 tokens. What makes one hard makes it hard for every student.
HARD = np.repeat([1.0, 6.0, 3.0], (5, 3, 4))


def last_lines(folders):
    """What is said of the further students."""
    return compare_runs(folders).splitlines()[-len(folders) + 1 :]


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (0.25, "two is ahead of one by 0.250 nats per token (95 % interval 0.250 to 0.250)"),
        (-0.5, "two is behind one by 0.500 nats per token (95 % interval 0.500 to 0.500)"),
    ],
)
def test_documents_are_paired(make_run, gain, words):
    """The interval has no width where one student gains as much on each token of each document."""
    folders = [
        make_run("one", {"student": HARD}),
        make_run("two", {"student": HARD - gain}),
    ]
    assert last_lines(folders) == [f"{words}, over 1 training each and 3 documents."]


def test_what_cannot_be_told_apart_is_said_so(make_run):
    noise = np.repeat([0.3, -0.4, 0.0], (5, 3, 4))
    folders = [make_run("one", {"student": HARD}), make_run("two", {"student": HARD - noise})]
    (sentence,) = last_lines(folders)
    assert sentence.startswith("two and one differ by +0.025 nats per token, with a 95 % interval")
    assert sentence.endswith("that includes 0, over 1 training each and 3 documents.")


def test_all_are_set_against_the_first(make_run):
    folders = [
        make_run(name, {"student": HARD - gain})
        for name, gain in (("one", 0.0), ("two", 0.25), ("three", 0.5))
    ]
    first, second = last_lines(folders)
    assert first.startswith("two is ahead of one by 0.250")
    assert second.startswith("three is ahead of one by 0.500")


def trained_with(seeds, losses):
    """Students of further seeds, in the order in which a file lists them."""
    names = ["student", *(f"seed_{seed}/student" for seed in seeds[1:])]
    return {name: HARD + loss for name, loss in zip(names, losses)}


def test_trainings_are_paired_in_the_order_of_their_seeds(make_run):
    """Not of their names: as words, seed_10 comes before seed_9."""
    luck = [0.0, 0.9, -0.6]
    one = make_run("one", trained_with((8, 9, 10), luck))
    two = make_run("two", trained_with((0, 1, 2), [each - 0.25 for each in luck]))
    assert last_lines([one, two]) == [
        "two is ahead of one by 0.250 nats per token (95 % interval 0.250 to 0.250), over 3"
        " trainings each and 3 documents."
    ]


@pytest.mark.parametrize("more_first", [True, False])
def test_of_runs_with_several_seeds_as_many_as_both_have_are_compared(make_run, more_first):
    more = make_run("more", trained_with((0, 1, 2), [0.0, 0.1, 50.0]))
    fewer = make_run("fewer", trained_with((0, 1), [0.5, 0.6]))
    folders = [more, fewer] if more_first else [fewer, more]
    words = "fewer is behind more" if more_first else "more is ahead of fewer"
    (sentence,) = last_lines(folders)
    assert sentence.startswith(f"{words} by 0.500 nats per token (95 % interval 0.500 to 0.500)")
    assert "over 2 trainings each" in sentence


def test_controls_and_ngram_are_no_students(make_run):
    others = {"seed_1/control_equal_steps": HARD + 9, "ngram": HARD + 9}
    one, two = (make_run(name, {"student": HARD} | others) for name in ("one", "two"))
    assert "over 1 training each" in last_lines([one, two])[0]


def test_the_blocks_of_a_single_document_are_named(make_run):
    alone, nll = layout((12,)), np.arange(12) / 10
    folders = [
        make_run(name, {"student": nll - gain}, alone) for name, gain in (("one", 0), ("two", 1))
    ]
    assert last_lines(folders)[0].endswith("over 1 training each and 3 blocks.")


def test_a_single_document_in_blocks_of_two_lengths_compares(make_run):
    """The tokens are the same, so the first run's blocks serve for both."""
    nll = np.arange(12) / 10
    one = make_run("one", {"student": nll}, layout((12,), block=4))
    two = make_run("two", {"student": nll - 1}, layout((12,), block=3))
    assert last_lines([one, two])[0].endswith("1.000), over 1 training each and 3 blocks.")


def test_students_with_two_tokenizers_are_not_set_against_each_other(make_run):
    one = make_run("one", {"student": HARD})
    two = make_run("two", {"student": HARD}, layout(first_token=99))
    three = make_run("three", {"student": HARD[:-1]}, layout((5, 3, 3)))
    assert last_lines([one, two, three]) == [
        f"{name} and one have different tokenizers: compare bits per byte."
        for name in ("two", "three")
    ]


@pytest.mark.parametrize("without", ["one", "two"])
def test_without_scores_the_command_that_makes_them_is_named(make_run, without):
    folders = [make_run(name, {"student": HARD} if name != without else ()) for name in ("one", "two")]  # fmt: skip
    (sentence,) = last_lines(folders)
    assert "scores" in sentence and "`kdlib evaluate` makes them" in sentence
    assert sentence.startswith("two")


def test_damaged_scores_are_as_good_as_none(make_run):
    folders = [make_run(name, {"student": HARD}) for name in ("one", "two")]
    path = scores_path(folders[1], TEXT)
    path.write_bytes(path.read_bytes()[:-1])
    assert "`kdlib evaluate` makes them" in last_lines(folders)[0]
