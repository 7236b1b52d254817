"""A run whose student writes a part of its own training texts."""

import dataclasses

import pytest
import torch
from little_runs import lasting, little, paragraphs, run, write_file
from safetensors.torch import load_file

from kdlib.errors import UserError
from kdlib.jobs.classroom import open_classroom
from kdlib.jobs.context import open_context
from kdlib.jobs.expectations import expected_operations
from kdlib.jobs.flags import parse
from kdlib.jobs.learners import learners
from kdlib.jobs.objective_settings import ObjectiveSettings
from kdlib.jobs.on_policy_settings import OnPolicy
from kdlib.jobs.recipe import Controls, Recipe, TargetSettings, TeacherSettings
from kdlib.jobs.students import student_shape
from kdlib.training.run_state import read_state

REVERSE = ObjectiveSettings(divergence="reverse_kl")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A text, and the folder of a teacher that was trained on it."""
    folder = tmp_path_factory.mktemp("made")
    text = write_file(folder / "book.txt", paragraphs(120))
    run(little(text, until="teacher"), folder / "first")
    return text, folder / "first" / "teacher"


def asked(made, on_policy, **changes):
    text, teacher = made
    recipe = little(text, teacher=TeacherSettings(source=str(teacher)), **changes)
    return dataclasses.replace(recipe, on_policy=on_policy)


@pytest.mark.parametrize(
    "on_policy",
    [
        OnPolicy(share=0.5, prompt_tokens=4),
        OnPolicy(share=1.0, prompt_tokens=2, new_tokens=5, refresh=4),
        OnPolicy(share=0.3, prompt_tokens=4, estimator="single_sample"),
    ],
    ids=["half", "all", "one sample"],
)
def test_a_run_takes_the_operations_that_were_expected(made, tmp_path, on_policy):
    recipe = asked(made, on_policy, objective=REVERSE)
    context = open_context(recipe, tmp_path / "run")
    classroom = open_classroom(context)
    student = student_shape(context, classroom.teacher, classroom.tokenizer)
    expected = expected_operations(classroom, student)
    report = run(recipe, tmp_path / "run")
    assert expected == sum(read_state(tmp_path / "run")["operations"].values())
    again = run(recipe, tmp_path / "again")
    assert lasting(again) == lasting(report)


def test_the_off_policy_students_are_told_as_much_and_cost_as_much(made, tmp_path):
    on_policy = OnPolicy(share=0.5, prompt_tokens=9, new_tokens=4)
    report = run(asked(made, on_policy), tmp_path / "run")
    steps, block = report["student"]["steps"], 16
    told = steps * (block / 2 + 4 / 2)  # a mean step, in tokens of a row
    assert report["off_policy_equal_tokens"]["steps"] == int(told / block)
    longer, spent = report["off_policy_equal_compute"]["steps"], report["operations"]
    a_step = spent["off_policy_equal_compute"] / longer
    assert spent["off_policy_equal_compute"] <= spent["student"]
    assert spent["off_policy_equal_compute"] + a_step > spent["student"]
    assert 0 < report["student"]["writing_share"] < 1
    assert "writing_share" not in report["off_policy_equal_tokens"]
    assert set(report["own_lead"]) == {
        "off_policy_equal_tokens", "off_policy_equal_compute", "control_equal_steps",
    }  # fmt: skip


def test_they_learn_what_a_student_does_that_never_writes(made, tmp_path):
    """Told as many tokens where nothing is left of the prompt, they are that student."""
    whole = asked(made, OnPolicy(share=1.0, prompt_tokens=1))
    without = dataclasses.replace(asked(made, OnPolicy()), seed=whole.seed)
    run(whole, tmp_path / "writes")
    run(without, tmp_path / "reads")
    ours, theirs = (
        load_file(tmp_path / run / name / "model.safetensors")
        for run, name in (("writes", "off_policy_equal_tokens"), ("reads", "student"))
    )
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize(
    ("share", "wanted"), [(0.0, True), (0.5, False)], ids=["reads only", "not wanted"]
)
def test_without_own_texts_or_unwanted_there_is_no_off_policy_student(share, wanted):
    recipe = Recipe(on_policy=OnPolicy(share=share), controls=Controls(off_policy=wanted))
    assert [each.role for each in learners(recipe)] == [
        "student", "control_equal_steps", "control_equal_compute",
    ]  # fmt: skip


def test_the_students_writing_is_in_the_budget_of_the_control_of_equal_compute(made, tmp_path):
    def steps(on_policy):
        recipe = asked(made, on_policy)
        controls = dataclasses.replace(recipe.controls, equal_compute=True, equal_steps=False)
        report = run(
            dataclasses.replace(recipe, controls=controls), tmp_path / str(on_policy.share)
        )
        return report["control_equal_compute"]["steps"]

    assert steps(OnPolicy(share=1.0, prompt_tokens=4)) > steps(OnPolicy())


REFUSED = [
    ({"share": 1.5}, {}, "on_policy.share: 1.5 is not in"),
    ({"share": -0.1}, {}, "on_policy.share"),
    ({"share": 0.5, "temperature": 0.0}, {}, "on_policy.temperature: 0.0 is not above 0"),
    ({"share": 0.5, "prompt_tokens": 0}, {}, "on_policy.prompt_tokens: 0 is too small"),
    ({"share": 0.5, "prompt_tokens": 200}, {}, "do not fit into blocks of 129"),
    ({"share": 0.5, "prompt_tokens": 100, "new_tokens": 30}, {}, "do not fit into blocks of 129"),
    ({"share": 0.5, "refresh": 0}, {}, "on_policy.refresh: 0 is too small"),
    ({"share": 0.5}, {"targets": TargetSettings(kind="sampled")}, "has no targets on disk"),
    ({"share": 0.5}, {"objective": ObjectiveSettings(weight=0.0)}, "without a teacher"),
    ({"share": 0.5, "estimator": "single_sample"}, {}, "estimates the reverse KL at temperature 1"),
    (
        {"share": 0.5, "estimator": "single_sample", "temperature": 0.7},
        {"objective": REVERSE},
        "right only for tokens drawn at temperature 1",
    ),
]


@pytest.mark.door("command lines")
@pytest.mark.parametrize(("settings", "more", "message"), REFUSED)
def test_what_cannot_be_is_refused_by_name(settings, more, message):
    with pytest.raises(UserError, match=message):
        Recipe(on_policy=OnPolicy(**settings), **more)


@pytest.mark.door("command lines")
@pytest.mark.parametrize("flag", ["share=nan", "share=2", "refresh=0", "prompt-tokens=-1"])
def test_a_flag_that_cannot_be_is_named_once(flag):
    name, value = flag.split("=")
    with pytest.raises(UserError) as refused:
        parse(Recipe, [f"--on-policy.{name}", value])
    assert str(refused.value).startswith(f"on_policy.{name.replace('-', '_')}: {value}")


def test_settings_without_a_share_change_nothing():
    """What is not used is not checked against blocks: a recipe may keep it for another day."""
    Recipe(on_policy=OnPolicy(prompt_tokens=500))
