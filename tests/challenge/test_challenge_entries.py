"""Entries: what is read, what is refused, in which order they stand, and that the shipped ones are true."""

import dataclasses
import json

import numpy as np
import pytest
from little_challenge import with_training

from kdlib.challenge.definition import CHALLENGE
from kdlib.challenge.entry import (
    FOLDER,
    Entry,
    faults,
    new_record,
    read_entries,
    read_entry,
    write_record,
)
from kdlib.challenge.table import printed_table, rows, rules
from kdlib.errors import UserError
from kdlib.jobs.recipe_files import recipe_to_toml

TOKENS = np.array([100, 200, 300])


def record(little, name, recipe=None, worse=0.0):
    """A record whose three trainings differ a little, `worse` nats per token above 4."""
    challenge, plain = little
    nats = (4 + worse + np.array([[0.0], [0.01], [0.02]])) * TOKENS
    return new_record(
        challenge,
        name,
        recipe or plain,
        nats,
        TOKENS,
        documents=["a", "b", "c"],
        parameters=challenge.parameters,
        operations=challenge.operations,
        machine="here",
        versions={},
        date="2026-01-01",
    )


@pytest.fixture
def folder(little, tmp_path):
    """Three entries: the baseline, one that is better, and one that is worse."""
    _, plain = little
    quick = with_training(plain, learning_rate=5e-3)
    for name, recipe, worse in (("pocket", plain, 0), ("quick", quick, -0.3), ("slow", plain, 0.2)):
        path = tmp_path / f"{name}.toml"
        path.write_text(f"# The {name} one,\n# in two lines.\n{recipe_to_toml(recipe)}", "utf-8")
        write_record(path.with_suffix(".json"), record(little, name, recipe, worse))
    return tmp_path


def test_an_entry_that_is_written_is_read_again(little, folder):
    challenge, plain = little
    entry = read_entry(challenge, folder / "quick.toml")
    assert entry.record == record(little, "quick", with_training(plain, learning_rate=5e-3), -0.3)
    assert entry.idea == "The quick one, in two lines."
    assert entry.validation == pytest.approx(3.71)


def test_the_best_on_validation_stands_first(little, folder):
    assert [entry.name for entry in read_entries(little[0], folder)] == ["quick", "pocket", "slow"]


def test_a_lead_has_the_interval_of_trainings_and_documents(little, folder):
    first, pocket, _ = read_entries(little[0], folder)
    found = first.lead_over(pocket)
    assert (found["trainings"], found["units"]) == (3, 3)
    assert found["value"] == pytest.approx(0.3, abs=1e-4)
    assert found["low"] == pytest.approx(found["high"], abs=1e-3)  # the same lead everywhere


def test_the_table_says_what_an_entry_changes(little, folder):
    table = rows(read_entries(little[0], folder))
    assert [row["place"] for row in table] == [1, 2, 3]
    assert table[0]["changes"] == {"student.training.learning_rate": 5e-3}
    assert table[1]["changes"] == {} and table[1]["lead"] is None
    assert all(row["test"] is None for row in table)


def test_the_test_column_is_empty_until_an_entry_is_accepted(little, folder):
    path = folder / "quick.json"
    assert printed_table(read_entries(little[0], folder)).count("  -\n") == 3
    accepted = json.loads(path.read_text()) | {
        "test": {"seeds": [0, 1, 2], "nats_per_token": [3.9, 4.0, 4.1], "date": "2026-01-02"}
    }
    write_record(path, accepted)
    text = printed_table(read_entries(little[0], folder))
    assert "4.000\n" in text and text.count("  -\n") == 2


def broken(little, **changes):
    challenge, plain = little
    entry = Entry("one", "", plain, record(little, "one") | changes)
    return faults(challenge, entry)


def test_a_sound_entry_has_no_faults(little):
    assert broken(little) == []


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"format": "kdlib-challenge-0"}, "no record of the format"),
        ({"name": "two"}, "the record of 'two'"),
        ({"checksums": {}}, "another text or another teacher"),
        ({"seeds": [0, 1, 7]}, "its seeds"),
        ({"validation": 3.9}, "not the mean"),
        ({"nats": [[1.0, 2.0, 3.0]]}, "not one for each training"),
        ({"nats": [[float("nan")] * 3] * 3}, "not the mean"),
        ({"settings": {"student.training.batch": 99}}, "something else on student.training.batch"),
        ({"surplus": 1}, "no record of the format"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_fault_is_named(little, changes, word):
    assert word in "; ".join(broken(little, **changes))


@pytest.mark.parametrize("what", ["parameters", "operations"])
def test_an_entry_beyond_the_budget(little, what):
    most = getattr(little[0], what)
    assert broken(little, **{what: most}) == []
    assert f"{what} are more than" in "; ".join(broken(little, **{what: most + 1}))


def test_a_record_that_is_not_there_or_no_json(little, folder):
    (folder / "slow.json").write_text("{")
    with pytest.raises(UserError, match=r"slow\.json cannot be read"):
        read_entry(little[0], folder / "slow.toml")
    (folder / "slow.json").unlink()
    with pytest.raises(UserError, match=r"slow\.json cannot be read"):
        read_entry(little[0], folder / "slow.toml")


def test_a_later_setting_does_not_age_an_entry(little):
    """A setting that the record does not know has its default, or the recipe would name it."""
    challenge, plain = little
    known = record(little, "one")
    del known["settings"]["compile"]
    assert faults(challenge, Entry("one", "", plain, known)) == []


def test_the_rules_say_what_the_challenge_says():
    text = " ".join(rules(CHALLENGE))
    for number in (CHALLENGE.parameters, CHALLENGE.operations):
        assert f"{number:,}" in text
    smaller = dataclasses.replace(CHALLENGE, parameters=7, operations=8)
    assert "at most 7 parameters" in " ".join(rules(smaller))


# ---------------------------------------------------------------- the shipped entries


# What the comments at the top of their recipes promise, beside the entry "pocket".
AHEAD = ("both", "sampled", "small-batches")
BEHIND = ("control",)


def test_the_shipped_entries_keep_the_rules():
    entries = read_entries(CHALLENGE)  # refuses faults
    assert {"pocket", *AHEAD, *BEHIND} <= {entry.name for entry in entries}
    assert {path.stem for path in FOLDER.glob("*.json")} == {entry.name for entry in entries}
    assert all(entry.idea for entry in entries)
    assert len({tuple(entry.record["documents"]) for entry in entries}) == 1


@pytest.mark.parametrize("name", AHEAD)
def test_an_improvement_beats_pocket_by_an_interval(name):
    entries = {entry.name: entry for entry in read_entries(CHALLENGE)}
    assert entries[name].lead_over(entries["pocket"])["low"] > 0


@pytest.mark.parametrize("name", BEHIND)
def test_a_control_asks_no_teacher_and_is_behind(name):
    entries = {entry.name: entry for entry in read_entries(CHALLENGE)}
    assert entries[name].recipe.objective.objective().teacher_weight == 0
    assert entries[name].lead_over(entries["pocket"])["high"] < 0
