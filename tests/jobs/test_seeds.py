"""Several trainings of one recipe: each whole, each its own, and the report over all of them."""

from pathlib import Path

import pytest
import torch
from little_runs import lasting, little, result, run
from safetensors.torch import load_file

from kdlib.jobs import phases, pipeline
from kdlib.training.metrics import Metrics
from kdlib.training.phase import Interrupted

pytestmark = pytest.mark.slow
RUN = Path("run")
ROLES = ("student", "control_equal_steps")


def weights(folder, name):
    return load_file(folder / name / "model.safetensors")


def same(one, other):
    return all(torch.equal(one[key], other[key]) for key in one | other)


def test_each_seed_leaves_models_of_its_own(workplace):
    for role in ROLES:
        assert not same(weights(RUN, role), weights(RUN, f"seed_1/{role}"))
    assert not (RUN / "seed_0").exists() and not (RUN / "seed_2").exists()


def test_the_report_is_over_both_trainings(workplace):
    report = result(RUN)
    assert [training["seed"] for training in report["trainings"]] == [0, 1]
    first, second = report["trainings"]
    for role in ROLES:
        assert first[role] == pytest.approx(report[role]["cross_entropy"], rel=1e-6)
        assert second[role] != first[role]
    assert {each["trainings"] for each in report["advantage"].values()} == {2}
    leads = [each["control_equal_steps"] - each["student"] for each in report["trainings"]]
    found = report["advantage"]["control_equal_steps"]["value"]
    assert found == pytest.approx(sum(leads) / 2, abs=1e-6)
    students = sum(each["student"] for each in report["trainings"]) / 2
    lead = report["ngram"]["cross_entropy"] - students
    assert report["advantage"]["ngram"]["value"] == pytest.approx(lead, abs=1e-6)
    assert "over 2 trainings" in report["verdict"]["sentences"][1]
    assert report["operations"]["other_seeds"] == sum(report["operations"][role] for role in ROLES)


def test_student_and_control_of_a_seed_start_alike_and_read_alike(workplace):
    """Their first logged cross-entropy is on the same blocks, six steps from the same weights."""
    rows = {row["phase"]: row for row in Metrics(RUN).rows() if row["step"] == 2}
    for seed in ("", "seed_1/"):
        student, control = (rows[f"{seed}{role}"]["cross_entropy"] for role in ROLES)
        assert student == pytest.approx(control, abs=0.01)
    assert rows["student"]["cross_entropy"] != rows["seed_1/student"]["cross_entropy"]


def test_the_order_of_the_data_and_dropout_follow_each_trainings_seed(workplace, monkeypatch):
    seeds, train = {}, phases.train

    def noting(model, task, phase, accelerator):
        seeds[phase.name] = phase.seed
        return train(model, task, phase, accelerator)

    monkeypatch.setattr(phases, "train", noting)
    run(little("book.txt", seed=4, seeds=2), Path("other"))
    further = {f"seed_5/{role}": 5 for role in ROLES}
    assert seeds == {"teacher": 4} | dict.fromkeys(ROLES, 4) | further


def test_more_seeds_change_nothing_in_the_first(workplace):
    """And the only seed of a run with another seed is the further one of this."""
    report = run(little("book.txt"), Path("alone"))
    for role in ROLES:
        assert same(weights(Path("alone"), role), weights(RUN, role))
    whole = result(RUN)
    for name in ("teacher", *ROLES):
        assert dict(lasting(report[name])) == dict(lasting(whole[name])), name
    assert report["trainings"] == whole["trainings"][:1]
    assert report["advantage"]["ngram"]["trainings"] == 1


STOPS = {"after the first student": 1, "after the first seed": 2, "after the second student": 3}


@pytest.mark.parametrize("stop", STOPS)
def test_stopped_in_the_middle_it_goes_on_to_the_same_end(workplace, monkeypatch, stop):
    trained = []

    def counting(role, train):
        def counted(classroom, learner):
            if len(trained) == STOPS[stop]:
                raise Interrupted("a signal")
            train(classroom, learner)
            trained.append(learner.name)

        return counted

    recipe, again = little("book.txt", seeds=2), Path("again")
    with monkeypatch.context() as patch:
        for role, train in pipeline.HOW_TO_TRAIN.items():
            patch.setitem(pipeline.HOW_TO_TRAIN, role, counting(role, train))
        with pytest.raises(Interrupted):
            run(recipe, again)
    assert not (again / "report.json").exists()
    run(recipe, again, resume=True)
    assert lasting(result(again)) == lasting(result(RUN))
    for role in ROLES:
        for seed in ("", "seed_1/"):
            assert same(weights(again, f"{seed}{role}"), weights(RUN, f"{seed}{role}"))
