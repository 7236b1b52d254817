"""A claim's run: tuned alike, resumable, and its record."""

import contextlib
import json
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor

import pytest
from made_up_claim import CLAIM, changed

from kdlib.claims import running
from kdlib.claims.record import faults
from kdlib.claims.rules import Lead
from kdlib.errors import UserError


@pytest.fixture
def trained(monkeypatch):
    """Runs without processes; which trainings were done."""
    done = []

    def one_by_one(trainings):
        for training in trainings:
            done.append(training)
            yield training, CLAIM.arms[training.arm].train(*training[2:]), 1.0

    @contextlib.contextmanager
    def here():
        yield one_by_one

    monkeypatch.setattr(running, "in_processes", here)
    return done


def test_the_best_rate_of_the_sweep_is_used_and_recorded(tmp_path, trained):
    record = running.run_claim(CLAIM, tmp_path / "notes.json", "a machine")
    assert record["rates"] == {"one": 0.2, "other": 0.1}
    assert record["tuning"]["one"] == {"0.1": 1.1, "0.2": 1.0, "0.4": 1.2}
    assert record["numbers"]["one"]["loss"] == [1.0, 1.01, 1.02]
    assert record["numbers"]["table"]["loss"] == [3.0, 3.0, 3.0]
    assert record["verdict"] == "reproduced"
    assert record["machine"] == "a machine"
    assert record["seconds"] == len(trained) == 3 + 4 + 9
    assert faults(CLAIM, record) == []


def test_several_trainings_may_choose_the_rates(tmp_path, trained):
    claim = changed(tuning_seeds=(100, 101))
    record = running.run_claim(claim, tmp_path / "notes.json", "")
    assert record["tuning"]["one"] == {"0.1": 1.1, "0.2": 1.0, "0.4": 1.2}
    assert len([each for each in trained if each.seed in (100, 101)]) == 2 * 4


def test_no_training_is_done_twice(tmp_path, trained):
    running.run_claim(CLAIM, tmp_path / "notes.json", "")
    before = len(trained)
    again = running.run_claim(CLAIM, tmp_path / "notes.json", "")
    assert len(trained) == before == len(set(trained))
    assert again["verdict"] == "reproduced"


def test_a_run_that_was_stopped_goes_on(tmp_path, trained, monkeypatch):
    def stop(self, *_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(running.Notes, "columns", stop)
        running.run_claim(CLAIM, tmp_path / "notes.json", "")
    done = len(trained)
    running.run_claim(CLAIM, tmp_path / "notes.json", "")
    assert len(trained) == done


def test_notes_of_other_settings_are_refused(tmp_path, trained):
    notes = tmp_path / "notes.json"
    running.run_claim(CLAIM, notes, "")
    with pytest.raises(UserError, match="of other settings than the claim's; delete it"):
        running.run_claim(changed(settings={"pairs": [1, 3]}), notes, "")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"settings": 1}',
        "\x00",
        '{"settings": {}, "done": {"x": {}}}',
        '{"settings": {}, "done": [1]}',
    ],
)
def test_what_is_no_notes_is_refused(tmp_path, content):
    notes = tmp_path / "notes.json"
    notes.write_text(content)
    with pytest.raises(UserError, match="no notes of a claim; delete it to begin anew"):
        running.run_claim(CLAIM, notes, "")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"settings": {"pairs": [2, 2]}}, "its settings are not the claim's"),
        ({"seeds": [0, 1]}, "its seeds are not the claim's"),
        ({"rule": ["another"]}, "its rule is not the claim's"),
        ({"verdict": "opposite"}, "the verdict is 'opposite', and the rule gives 'reproduced'"),
        ({"rates": {"one": 0.4, "other": 0.1}}, "one: the rate 0.4 is not the best of its sweep"),
        ({"numbers": {}}, "its arms are not the claim's"),
    ],
)
def test_a_planted_fault_in_a_record_is_found(tmp_path, trained, change, fault):
    record = json.loads(json.dumps(running.run_claim(CLAIM, tmp_path / "notes.json", "")))
    assert faults(CLAIM, record) == []
    assert any(fault in found for found in faults(CLAIM, record | change))


def test_another_rule_is_found(tmp_path, trained):
    record = json.loads(json.dumps(running.run_claim(CLAIM, tmp_path / "notes.json", "")))
    turned = changed(rule=(Lead("loss", "other", "one"),))
    assert len(faults(turned, record)) == 2


def _alive():
    return [child.name for child in multiprocessing.active_children()]


def test_a_process_that_the_system_kills_is_an_error_and_no_endless_wait():
    pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    with pool, pytest.raises(UserError, match="was killed.*what is done is kept"):
        list(running._as_they_end(pool, os._exit, [9]))


def test_whoever_stops_a_run_does_not_wait_for_what_has_begun(monkeypatch):
    monkeypatch.setattr(running, "_train", time.sleep)
    with pytest.raises(KeyboardInterrupt), running.in_processes() as trainer:
        trainer([])
        next(trainer([0, 10**6, 10**6, 10**6]))  # asleep for days
        assert _alive()
        raise KeyboardInterrupt
    assert not _alive()
