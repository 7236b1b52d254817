"""`kdlib claim`: the list, a plan with its record, a quick form, and input that fails."""

import json

import pytest

from kdlib import cli
from kdlib.claims.record import shipped
from kdlib.claims.registry import claims
from kdlib.claims.tables import UNTRIED


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
