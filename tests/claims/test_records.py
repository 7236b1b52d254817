"""The records that come along: they fit their claims, and what the arms do has not changed."""

import copy
from contextlib import nullcontext
from importlib import resources

import pytest

from kdlib.claims import running
from kdlib.claims.record import faults, moved, shipped
from kdlib.claims.registry import claim, claims

RECORDED = [name for name in claims() if shipped(name)]


def test_a_record_belongs_to_a_claim():
    folder = resources.files("kdlib.claims") / "records"
    assert {file.name.removesuffix(".json") for file in folder.iterdir()} == set(RECORDED)


@pytest.mark.parametrize("name", RECORDED)
def test_a_record_fits_its_claim(name):
    assert faults(claim(name), shipped(name)) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", RECORDED)
def test_the_quick_forms_have_not_moved(name):
    assert moved(claim(name), shipped(name), running.run_quick(claim(name))) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["forward-reverse", "top-k-reverse"])
def test_the_cheapest_are_run_again_in_full(name, tmp_path, monkeypatch):
    monkeypatch.setattr(running, "in_processes", lambda: nullcontext(running.one_by_one))
    before, now = shipped(name), running.run_claim(claim(name), tmp_path / "notes.json", "")
    assert now["verdict"] == before["verdict"]
    for arm, measures in before["numbers"].items():
        for measure, values in measures.items():
            assert now["numbers"][arm][measure] == pytest.approx(values, rel=0.02, abs=1e-3)


@pytest.mark.slow
def test_processes_find_what_one_finds():
    trainings = running.quick_trainings(claim("top-k-reverse"))
    alone = {training: found for training, found, _ in running.one_by_one(trainings)}
    with running.in_processes() as trainer:
        together = {training: found for training, found, _ in trainer(trainings)}
    assert together == alone


@pytest.mark.parametrize("name", RECORDED)
def test_every_arm_was_tuned_with_the_same_number_of_rates(name):
    tuned = {len(arm.rates) for arm in claim(name).arms.values() if arm.rates}
    assert len(tuned) <= 1


@pytest.mark.parametrize("name", RECORDED)
def test_a_changed_number_is_found(name):
    """Canary: each number of a quick form, moved by twice the tolerance, makes the record stale."""
    chosen, record = claim(name), shipped(name)
    today = {
        arm: {measure: [value] for measure, value in found.items()}
        for arm, found in record["quick"].items()
    }
    assert moved(chosen, record, today) == []
    for arm, measure in [(a, m) for a, found in today.items() for m in found]:
        planted = copy.deepcopy(today)
        planted[arm][measure][0] = planted[arm][measure][0] * (1 + 2 * chosen.tolerance) + 1e-9
        assert len(moved(chosen, record, planted)) == 1


@pytest.mark.parametrize("name", claims())
def test_a_claim_says_what_decides_and_what_else_could_be(name):
    chosen = claim(name)
    assert chosen.rule and chosen.rival_rules
    named = {arm for rule in (*chosen.rule, *chosen.rival_rules) for arm in _arms(rule)}
    assert named == set(chosen.arms), "an arm that no rule looks at"
    for rule in (*chosen.rule, *chosen.rival_rules):
        assert rule.measure in chosen.measures


def _arms(rule):
    return {getattr(rule, role) for role in ("ahead", "behind", "one", "other", "arm")
            if hasattr(rule, role)}  # fmt: skip
