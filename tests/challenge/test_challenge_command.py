"""`kdlib challenge`: the table, a recipe that enters from its check to its entry, and odd input."""

import json

import pytest
from little_challenge import with_training

from kdlib import cli
from kdlib.challenge import definition, entry
from kdlib.commands.challenge import ChallengeOptions
from kdlib.jobs.recipe_files import recipe_to_toml
from kdlib.reports.formatting import short


@pytest.fixture
def call(little, monkeypatch, tmp_path, capsys):
    """Run the command in the little challenge, in an empty folder: (exit code, stdout, stderr)."""
    monkeypatch.setattr(definition, "CHALLENGE", little[0])
    monkeypatch.setattr(entry, "FOLDER", tmp_path / "entries")
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = 0
        try:
            cli.main(["challenge", *map(str, arguments)])
        except SystemExit as stop:
            code = stop.code
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def mine(little, tmp_path):
    """A recipe file, my.toml."""
    path = tmp_path / "my.toml"
    path.write_text(f"# Mine.\n{recipe_to_toml(little[1])}", "utf-8")
    return path


def refused(result, *words):
    code, _, err = result
    *_, last = err.strip().splitlines()
    assert code == 2 and "Traceback" not in err
    assert all(word in last for word in words), last


def test_rules_and_table_of_the_shipped_challenge(capsys):
    cli.main(["challenge"])
    text = capsys.readouterr().out
    assert "at most 1,100,000 parameters" in text and "pocket" in text
    cli.main(["challenge", "--json"])
    assert "pocket" in {row["name"] for row in json.loads(capsys.readouterr().out)}


def test_the_help_says_the_budget_and_what_is_counted():
    about = " ".join(ChallengeOptions.__doc__.split())
    contest = definition.CHALLENGE
    assert f"{short(contest.operations)} operations" in about
    assert f"{contest.parameters / 1e6:g} million parameters" in about
    for part in ("forward and backward passes", "forward pass of the teacher", "writes itself"):
        assert part in about


def test_a_dry_run_checks_and_writes_nothing(call, mine, little, tmp_path):
    code, out, _ = call("my.toml", "--dry-run")
    assert code == 0
    assert f"{little[0].operations:,}" in out and "100.0 %" in out
    assert not (tmp_path / "runs").exists()


def test_a_recipe_enters_is_submitted_and_accepted(call, mine, tmp_path, monkeypatch):
    code, out, err = call("my.toml")
    assert code == 0, err
    assert "Place: 1 of 1" in out and "Test" not in out
    found = tmp_path / "runs/challenge/my/entry.json"
    record = json.loads(found.read_text())
    assert record["test"] is None and len(record["nats"]) == 3
    # A second call trains nothing.
    monkeypatch.setattr("kdlib.challenge.running._train", lambda *_: pytest.fail("trained again"))
    assert json.loads(call("my.toml", "--json")[1]) == record
    # Submitted: both files in the room of the entries, where the name is enough.
    room = tmp_path / "entries"
    room.mkdir()
    mine.rename(room / "my.toml")
    (room / "my.json").write_text(found.read_text())
    code, out, _ = call("my", "--accept")
    assert code == 0 and "\nTest: " in out
    assert len(json.loads((room / "my.json").read_text())["test"]["nats_per_token"]) == 3
    refused(call("my", "--accept"), "accepted already")


def test_a_single_training_makes_no_entry(call, mine, tmp_path):
    code, out, _ = call("my.toml", "--once")
    assert code == 0 and "Validation: " in out
    assert not list(tmp_path.rglob("entry.json"))


def test_a_run_that_is_stopped_says_how_to_go_on(call, mine, monkeypatch):
    def stopping(*_):
        raise KeyboardInterrupt("student stopped after step 2 of 6")

    monkeypatch.setattr("kdlib.challenge.running.train_student", stopping)
    code, _, err = call("my.toml", "--out", "here")
    assert code == 130
    assert "go on with: kdlib challenge my.toml --out here" in err


def test_another_recipe_of_the_same_name(call, mine, little, monkeypatch):
    monkeypatch.setattr("kdlib.challenge.running._train", lambda *_: pytest.fail("trained"))
    with pytest.raises(BaseException, match="trained"):
        call("my.toml")
    other = with_training(little[1], learning_rate=1e-4)
    mine.write_text(recipe_to_toml(other), "utf-8")
    assert call("my.toml", "--dry-run")[0] == 0
    refused(call("my.toml"), "student.training.learning_rate", "--overwrite")
    assert call("my.toml", "--dry-run", "--overwrite")[0] == 0  # deletes nothing
    refused(call("my.toml"), "student.training.learning_rate", "--overwrite")
    with pytest.raises(BaseException, match="trained"):
        call("my.toml", "--overwrite")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("surplus = 1", ["unknown field", "surplus"]),
        ("[student.training]\nstepz = 1", ["unknown field", "stepz"]),
        ('[data]\ntest = "mine.txt"', ["data.", "is not the challenge's"]),
        ("x", ["not valid TOML"]),
    ],
)
def test_a_recipe_that_cannot_enter(call, tmp_path, text, words):
    (tmp_path / "odd.toml").write_text(text)
    refused(call("odd.toml"), *words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing.toml"], ["nothing.toml"]),
        (["pockt"], ["pockt", "pocket"]),
        (["--once"], ["missing: recipe"]),
        (["--accept"], ["missing: recipe"]),
        (["my.toml", "--once", "--accept"], ["accept", "once"]),
        (["my.toml", "--accept"], ["my.json", "cannot be read"]),
        (["my.toml", "--tests"], ["unknown field"]),
        (["my.toml", "--out", "my.toml"], ["my.toml"]),
    ],
)
def test_input_that_cannot_be_used(call, mine, arguments, words):
    refused(call(*arguments), *words)


def test_a_folder_that_is_no_run_is_left_alone(call, mine, tmp_path):
    other = tmp_path / "runs/challenge/my"
    other.mkdir(parents=True)
    (other / "letter.txt").write_text("dear")
    refused(call("my.toml"), "not empty")
    refused(call("my.toml", "--overwrite"), "no run")
    assert (other / "letter.txt").read_text() == "dear"
