"""`kdlib claim`: the list, a plan with its record, a quick form, and input that fails."""

import json
from contextlib import nullcontext

import pytest
from made_up_claim import CLAIM

from kdlib import cli
from kdlib.claims import running
from kdlib.claims.record import faults, shipped
from kdlib.claims.registry import claims
from kdlib.claims.tables import UNTRIED, compared
from kdlib.files import locked


def out_of(capsys, *arguments):
    """What a command prints."""
    cli.main(["claim", *arguments])
    return capsys.readouterr().out


def test_the_list_has_each_claim_with_its_verdict(capsys):
    text = out_of(capsys)
    for name in claims():
        record = shipped(name)
        assert f"{name}: {record['verdict'] if record else UNTRIED}\n" in text


def test_a_claim_without_a_record_says_so(capsys, monkeypatch):
    monkeypatch.setattr("kdlib.claims.record.shipped", lambda name: None)
    text = out_of(capsys, "patience", "--show")
    assert text.endswith("There is no record yet.\n")


def test_a_claim_is_shown_with_its_plan_and_record(capsys):
    text = out_of(capsys, "sampled-targets", "--show")
    for part in ("Claim\n", "Source\n", "Rival\n", "Decides\n", "95 % intervals", "Verdict: "):
        assert part in text


def test_a_record_as_json(capsys):
    found = json.loads(out_of(capsys, "sampled-targets", "--show", "--json"))
    assert found == shipped("sampled-targets")


@pytest.mark.parametrize(
    ("name", "hint"), [("patince", "did you mean patience?"), ("x", "there are ")]
)
def test_a_name_that_is_none(capsys, name, hint):
    with pytest.raises(SystemExit, match="2"):
        cli.main(["claim", name])
    assert hint in capsys.readouterr().err


def test_the_verdicts_as_json(capsys):
    assert json.loads(out_of(capsys, "--json"))["sampled-targets"] == "reproduced"


@pytest.fixture
def without_training(monkeypatch, tmp_path):
    """A claim that takes no time, run in this process; where its runs are."""
    monkeypatch.setattr("kdlib.claims.registry.claim", lambda name: CLAIM)
    monkeypatch.setattr(running, "claim_named", lambda name: CLAIM)
    monkeypatch.setattr(running, "in_processes", lambda: nullcontext(running.one_by_one))
    return tmp_path / "runs"


def test_a_run_leaves_its_record(capsys, without_training):
    text = out_of(capsys, "made-up", "--out", str(without_training))
    assert "Verdict: reproduced" in text
    record = json.loads((without_training / "made-up" / "record.json").read_text())
    assert faults(CLAIM, record) == []


def test_a_record_of_other_arms_is_not_compared(without_training):
    """An arm was added to the claim since: the verdicts are compared, and no interval."""
    record = running.run_claim(CLAIM, without_training / "notes.json", "here")
    before = record | {"numbers": {"one": record["numbers"]["one"]}}
    text = compared(CLAIM, record, before)
    assert "the same verdict" in text and "of other arms" in text
    assert "there" in compared(CLAIM, record, record)


def test_quick_forms_as_json(capsys, without_training):
    assert json.loads(out_of(capsys, "made-up", "--quick", "--json"))["one"]["loss"] == [1.0]


def test_a_run_that_is_stopped_says_how_to_go_on(capsys, without_training, monkeypatch):
    def stop(trainings):
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "in_processes", lambda: nullcontext(stop))
    with pytest.raises(SystemExit, match="130"):
        cli.main(["claim", "made-up", "--out", str(without_training)])
    assert f"go on with: kdlib claim made-up --out {without_training}" in capsys.readouterr().err


def test_two_runs_at_once_are_refused(capsys, without_training):
    folder = without_training / "made-up"
    folder.mkdir(parents=True)
    with locked(folder), pytest.raises(SystemExit, match="2"):
        cli.main(["claim", "made-up", "--out", str(without_training)])
    assert "another run is using" in capsys.readouterr().err


def test_a_folder_that_cannot_be_one(capsys, without_training):
    without_training.write_text("a file")
    with pytest.raises(SystemExit, match="2"):
        cli.main(["claim", "made-up", "--out", str(without_training)])
    assert "cannot be written" in capsys.readouterr().err
