"""The patient control: when it stops, what it keeps, and what a kill in between leaves.

Nothing is trained here: a pretended training has the validation loss that is written down for its
number of steps.
"""

import json
import os
from types import SimpleNamespace

import pytest

from kdlib.jobs import patience
from kdlib.jobs.context import RunModels
from kdlib.jobs.learners import Learner, learner
from kdlib.jobs.patience import train_patiently
from kdlib.jobs.phase_records import cost_entries, shown_metrics, training_entries
from kdlib.jobs.recipe import Controls, Recipe, StudentSettings
from kdlib.training.metrics import Metrics
from kdlib.training.run_folder import prepare_run
from kdlib.training.run_state import read_state, record_phase
from kdlib.training.schedule import Training

STEPS = 10
RECIPE = Recipe(
    student=StudentSettings(training=Training(steps=STEPS)),
    controls=Controls(patient=True),
    seeds=2,
)
FIRST, SECOND = (learner(RECIPE, "control_patient", seed) for seed in (0, 1))


class Kill(BaseException):
    """What stops a process: nothing below catches it."""


class Pretended:
    """A run whose trainings take no time and end with the losses of a table, by their steps."""

    def __init__(self, folder, losses):
        prepare_run(folder, "run", "", overwrite=False)
        self.folder, self.losses, self.trained = folder, losses, []
        context = SimpleNamespace(recipe=RECIPE, folder=folder, models=RunModels(RECIPE, folder))
        self.classroom = SimpleNamespace(
            context=context,
            new_learner=lambda seed: f"weights of seed {seed}",
            task=lambda objective, training: SimpleNamespace(
                training=training, objective=objective
            ),
        )

    def learn(self, classroom, attempt, model, task):
        steps = task.training.steps
        assert model == f"weights of seed {attempt.seed}" and task.objective.label_weight == 1
        self.trained.append((attempt.name, steps))
        metrics = Metrics(self.folder)
        for step, loss in ((steps // 2, 99.0), (steps, self.losses[steps])):
            metrics.append(phase=attempt.name, step=step, validation=loss)
        record_phase(
            self.folder, attempt.name, 2.0 * steps, 1000 * steps, steps=steps, training_tokens=steps
        )
        (self.folder / attempt.name).mkdir(parents=True)
        (self.folder / attempt.name / "weights").write_text(f"{steps} steps")

    def train_control(self, classroom, control):
        task = SimpleNamespace(training=Training(steps=STEPS), objective=patience.WITHOUT_TEACHER)
        self.learn(classroom, control, f"weights of seed {control.seed}", task)

    def kept(self, patient=FIRST):
        return (self.folder / patient.name / "weights").read_text()

    def leftovers(self):
        """Whatever stands in the run beside its models and records."""
        finished = {"control_equal_steps", "control_patient", "weights"}
        files = {"recipe.toml", "state.json", "metrics.jsonl", "seed_1"}
        return {path.name for path in self.folder.rglob("*")} - finished - files


@pytest.fixture
def run(tmp_path, monkeypatch):
    def make(losses, control=FIRST):
        made = Pretended(tmp_path / "run", losses)
        monkeypatch.setattr(patience, "learn", made.learn)
        monkeypatch.setattr(patience, "train_control", made.train_control)
        equal_steps = learner(RECIPE, "control_equal_steps", control.seed)
        made.train_control(made.classroom, equal_steps)
        made.trained.clear()
        return made

    return make


BEST_IS_THIRD = {10: 5.0, 20: 4.0, 40: 3.0, 80: 3.1}


def test_it_trains_twice_as_long_until_validation_rises_and_keeps_the_best(run):
    made = run(BEST_IS_THIRD)
    train_patiently(made.classroom, FIRST)
    assert made.trained == [(f"control_patient_{steps}", steps) for steps in (20, 40, 80)]
    assert made.kept() == "40 steps"
    assert made.leftovers() == set()


def test_where_more_steps_do_not_help_it_is_the_control_of_equal_steps(run):
    made = run({10: 5.0, 20: 5.1})
    train_patiently(made.classroom, FIRST)
    assert made.trained == [("control_patient_20", 20)]
    assert made.kept() == "10 steps"
    assert (made.folder / "control_equal_steps" / "weights").read_text() == "10 steps"
    assert made.leftovers() == set()


def test_no_gain_at_all_is_no_reason_to_go_on(run):
    made = run({10: 5.0, 20: 5.0})
    train_patiently(made.classroom, FIRST)
    assert made.kept() == "10 steps" and len(made.trained) == 1


def test_the_loss_at_the_end_decides_not_the_lowest_on_the_way(run):
    """A training halfway has a high learning rate, and is not what would be kept."""
    made = run(BEST_IS_THIRD)
    Metrics(made.folder).append(phase="control_equal_steps", step=5, validation=0.1)
    Metrics(made.folder).append(phase="control_equal_steps", step=10, validation=5.0)
    train_patiently(made.classroom, FIRST)
    assert made.kept() == "40 steps"


def test_a_control_of_equal_steps_that_nobody_wants_is_trained_to_begin_with(run):
    made = run(BEST_IS_THIRD)
    weights = made.folder / "control_equal_steps" / "weights"
    weights.unlink()
    weights.parent.rmdir()
    train_patiently(made.classroom, FIRST)
    assert made.trained[0] == ("control_equal_steps", 10)


def test_its_record_is_that_of_all_its_trainings_and_of_the_best(run):
    made = run(BEST_IS_THIRD)
    train_patiently(made.classroom, FIRST)
    state = read_state(made.folder)
    assert state["seconds"]["control_patient"] == 2.0 * (20 + 40 + 80)
    assert state["operations"]["control_patient"] == 1000 * (20 + 40 + 80)
    entries = cost_entries(state)
    assert entries["seconds"] == {
        "control_equal_steps": 20.0,
        "control_patient": 280.0,
        "total": 300.0,
    }
    assert training_entries(state)["control_patient"] == {"steps": 40, "training_tokens": 40}


def test_the_log_that_is_shown_is_that_of_the_training_kept(run):
    made = run(BEST_IS_THIRD)
    train_patiently(made.classroom, FIRST)
    rows = [row for row in shown_metrics(made.folder) if row["phase"] == "control_patient"]
    assert [row["step"] for row in rows] == [20, 40]


def test_a_further_seed_has_attempts_of_its_own(run):
    made = run(BEST_IS_THIRD, SECOND)
    train_patiently(made.classroom, SECOND)
    assert made.trained == [(f"seed_1/control_patient_{steps}", steps) for steps in (20, 40, 80)]
    assert made.kept(SECOND) == "40 steps" and made.leftovers() == set()
    assert cost_entries(read_state(made.folder))["seconds"]["other_seeds"] == 300.0


def test_two_seeds_leave_each_other_alone(run):
    made = run(BEST_IS_THIRD)
    made.train_control(made.classroom, Learner("", 1, "seed_1/control_equal_steps"))
    train_patiently(made.classroom, FIRST)
    made.losses = {20: 6.0}
    train_patiently(made.classroom, SECOND)
    assert made.kept() == "40 steps" and made.kept(SECOND) == "10 steps"
    assert made.leftovers() == set()
    shown = [(row["phase"], row["step"]) for row in shown_metrics(made.folder)]
    assert (FIRST.name, 40) in shown and (SECOND.name, 10) in shown


# --- Killed -------------------------------------------------------------------------------------


def result(made):
    """Weights, state and what lies about."""
    return made.kept(), json.dumps(read_state(made.folder), sort_keys=True), made.leftovers()


def go_on(made):
    """What a resumed run does: a control whose folder is there is not trained again."""
    if not made.classroom.context.models.has(FIRST.name):
        train_patiently(made.classroom, FIRST)


# Every change that the run makes to its folder, by the function that makes it.
CHANGES = [
    (patience, "learn"),
    (patience, "write_state"),
    (patience.shutil, "rmtree"),
    (os, "replace"),
    (patience, "atomic_folder"),
]


@pytest.mark.parametrize("losses", [BEST_IS_THIRD, {10: 5.0, 20: 5.1}], ids=["third", "first"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", [1, 2, 3])
@pytest.mark.parametrize(("module", "name"), CHANGES, ids=[name for _, name in CHANGES])
def test_killed_at_any_change_it_goes_on_to_the_same_end(
    run, tmp_path, monkeypatch, losses, module, name, call, after
):
    straight = run(losses)
    train_patiently(straight.classroom, FIRST)
    expected = result(straight)
    straight.folder.rename(tmp_path / "straight")

    made = run(losses)
    function, calls = getattr(module, name), []

    def struck(*arguments, **settings):
        calls.append(name)
        if len(calls) != call:
            return function(*arguments, **settings)
        if name == "rmtree" and not after:  # which is killed halfway
            (arguments[0] / "weights").unlink(missing_ok=True)
        if after:
            function(*arguments, **settings)
        raise Kill

    with monkeypatch.context() as patch:
        patch.setattr(module, name, struck)
        with pytest.raises(Kill):
            train_patiently(made.classroom, FIRST)
            raise Kill  # at the end, where this change is made less often
    decided, trained = "best_of" in read_state(made.folder), list(made.trained)
    go_on(made)
    assert result(made) == expected
    assert made.trained == trained or not decided, "nothing is trained again to be deleted again"
