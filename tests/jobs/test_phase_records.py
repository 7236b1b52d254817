"""What a report says of the phases: each its own, the further seeds in one sum, nothing twice."""

import pytest

from kdlib.jobs.phase_records import cost_entries, shown_metrics, training_entries
from kdlib.reports.fields import field_of, leaves
from kdlib.training.metrics import Metrics
from kdlib.training.run_folder import prepare_run
from kdlib.training.run_state import read_state, write_state

# Powers of two, so that a sum tells what is in it.
SECONDS = {
    "tokenizer": 1,
    "teacher": 2,
    "teacher_pass": 4,
    "student": 8,
    "control_equal_steps": 16,
    "control_patient_20": 32,
    "control_patient_40": 64,
    "control_patient": 32 + 64,
    "seed_1/student": 128,
    "seed_1/control_equal_steps": 256,
    "seed_1/control_patient_20": 512,
    "seed_1/control_patient": 512,
    "seed_12/student": 1024,
    "evaluation": 2048,
}
TRAINING = {"steps": 20, "training_tokens": 320}


@pytest.fixture
def state():
    named = {name: TRAINING for name in SECONDS if "student" in name or "control" in name}
    return {
        "seconds": SECONDS,
        "operations": {"student": 3, "seed_1/student": 4},
        "training": named,
    }


def test_each_second_is_counted_once(state):
    seconds = cost_entries(state)["seconds"]
    assert seconds == {
        "tokenizer": 1,
        "teacher": 2,
        "teacher_pass": 4,
        "student": 8,
        "control_equal_steps": 16,
        "control_patient": 96,
        "other_seeds": 128 + 256 + 512 + 1024,
        "evaluation": 2048,
        "total": 4095,
    }


def test_operations_have_no_total(state):
    """The teacher's own training may be in them or not; a sum would hide which."""
    assert cost_entries(state)["operations"] == {"student": 3, "other_seeds": 4}


def test_a_run_of_one_seed_has_no_others():
    records = {"seconds": {"student": 1.5}, "operations": {"student": 3}}
    assert cost_entries(records) == {
        "seconds": {"student": 1.5, "total": 1.5},
        "operations": {"student": 3},
    }


def test_every_entry_is_a_documented_field(state):
    for path, _ in leaves(cost_entries(state) | training_entries(state)):
        assert field_of(path), path


def test_trainings_are_those_that_a_report_shows(state):
    found = training_entries(state)
    assert list(found) == ["student", "control_equal_steps", "control_patient"]
    assert found["student"] == TRAINING


def test_the_log_names_the_patient_controls_best_training_after_it(tmp_path):
    prepare_run(tmp_path / "run", "run", "", overwrite=False)
    phases = ["student", "control_equal_steps", "control_patient_20", "control_patient_40"]
    for phase in phases:
        Metrics(tmp_path / "run").append(phase=phase, step=1)
    assert [row["phase"] for row in shown_metrics(tmp_path / "run")] == phases
    best = {"control_patient": "control_patient_20", "seed_1/control_patient": "elsewhere"}
    write_state(tmp_path / "run", read_state(tmp_path / "run") | {"best_of": best})
    named = [row["phase"] for row in shown_metrics(tmp_path / "run")]
    assert named == [*phases, "control_patient"]
