"""A run whose student writes a part of its own training texts."""

import dataclasses

import pytest
from little_runs import lasting, little, paragraphs, run, write_file

from kdlib.errors import UserError
from kdlib.jobs.classroom import open_classroom
from kdlib.jobs.context import open_context
from kdlib.jobs.expectations import expected_operations
from kdlib.jobs.flags import parse
from kdlib.jobs.objective_settings import ObjectiveSettings
from kdlib.jobs.on_policy_settings import OnPolicy
from kdlib.jobs.recipe import Recipe, TargetSettings, TeacherSettings
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
