"""The rules of the challenge, each broken by itself, and the numbers that define the shipped one."""

import copy
import dataclasses

import pytest
from little_challenge import with_training, write_teacher, write_text

from kdlib.challenge.definition import CHALLENGE
from kdlib.challenge.entry import FOLDER
from kdlib.challenge.rules import FREE, IGNORED, admitted, check_spent, check_teacher, check_text
from kdlib.challenge.running import open_attempt
from kdlib.errors import UserError
from kdlib.jobs.context import read_text
from kdlib.jobs.fields import fields_of
from kdlib.jobs.recipe import Recipe
from kdlib.jobs.recipe_files import load_recipe
from kdlib.models.folders import POCKET_TEACHER
from kdlib.models.from_scratch import ModelSize


def opened(challenge, recipe, tmp_path):
    return open_attempt(challenge, recipe, tmp_path / "run", "little")


def test_a_recipe_that_spends_everything_is_admitted(little, tmp_path):
    challenge, recipe = little
    attempt = opened(challenge, recipe, tmp_path)
    assert attempt.cost.operations == challenge.operations
    assert attempt.cost.parameters == challenge.parameters
    assert attempt.cost.most_steps == recipe.student.training.steps
    assert not (tmp_path / "run").exists()


def test_a_parameter_too_many(little, tmp_path):
    challenge, recipe = little
    fewer = dataclasses.replace(challenge, parameters=challenge.parameters - 1)
    with pytest.raises(UserError, match=r"student\.size: .* are 1 more than"):
        opened(fewer, recipe, tmp_path)


def test_an_operation_too_many(little, tmp_path):
    challenge, recipe = little
    less = dataclasses.replace(challenge, operations=challenge.operations - 1)
    with pytest.raises(UserError, match=r"are 1 more than .*; 5 steps are the most"):
        opened(less, recipe, tmp_path)
    assert opened(less, with_training(recipe, steps=5), tmp_path).cost.most_steps == 5


def test_a_step_too_many(little, tmp_path):
    challenge, recipe = little
    with pytest.raises(UserError, match="6 steps are the most"):
        opened(challenge, with_training(recipe, steps=7), tmp_path)


def test_who_does_not_ask_the_teacher_does_not_pay_for_it(little, tmp_path):
    challenge, recipe = little
    alone = dataclasses.replace(recipe, objective=dataclasses.replace(recipe.objective, weight=0.0))
    attempt = opened(challenge, alone, tmp_path)
    assert attempt.cost.operations < challenge.operations
    most = attempt.cost.most_steps
    assert most > recipe.student.training.steps
    assert opened(challenge, with_training(alone, steps=most), tmp_path)
    with pytest.raises(UserError, match=f"{most} steps are the most"):
        opened(challenge, with_training(alone, steps=most + 1), tmp_path)


def test_another_text(little, tmp_path):
    challenge, recipe = little
    text = write_text(tmp_path / "others", seed=1)
    data = dataclasses.replace(challenge.data, text=str(text))
    with pytest.raises(UserError, match=r"^text: the student_training documents"):
        opened(
            dataclasses.replace(challenge, data=data),
            dataclasses.replace(recipe, data=data),
            tmp_path,
        )


@pytest.mark.parametrize("part", ["lesson", "validation", "test"])
def test_each_part_of_the_text_is_known(little, part):
    challenge, recipe = little
    check_text(challenge, read_text(recipe))
    other = dataclasses.replace(challenge, **{f"{part}_sha256": "0" * 64})
    with pytest.raises(UserError, match="^text: the "):
        check_text(other, read_text(recipe))


def test_another_teacher_by_its_name(little, tmp_path):
    challenge, recipe = little
    other = dataclasses.replace(recipe.teacher, source="smollm2")
    with pytest.raises(UserError, match=r"^teacher\.source: 'smollm2' is not the challenge's"):
        opened(challenge, dataclasses.replace(recipe, teacher=other), tmp_path)


def test_another_teacher_by_its_weights(little, tmp_path):
    challenge, recipe = little
    other = write_teacher(tmp_path / "teacher", write_text(tmp_path / "books"), seed=1)
    taught = dataclasses.replace(recipe.teacher, source=str(other))
    with pytest.raises(UserError, match=r"^teacher: .* has the checksum"):
        opened(
            dataclasses.replace(challenge, teacher=str(other)),
            dataclasses.replace(recipe, teacher=taught),
            tmp_path,
        )


def test_a_teacher_without_weights(little, tmp_path):
    with pytest.raises(UserError, match="has no model.safetensors"):
        check_teacher(little[0], tmp_path)


FIXED = {
    "data.test": "mine.txt",
    "data.validation": "mine.txt",
    "data.fraction": 1.0,
    "data.test_fraction": 0.7,
    "data.block": 32,
    "student.source": "pruned",
    "student.cross_tokenizer": True,
    "targets.cache": "caches/mine",
    "seed": 7,
    "seeds": 5,
    "sharding": "full",
}


@pytest.mark.parametrize("name", FIXED)
def test_a_setting_that_is_fixed(little, name):
    challenge, recipe = little
    if name == "targets.cache":
        recipe = changed(recipe, "targets.kind", "sampled")
    if name == "student.cross_tokenizer":
        recipe = changed(recipe, "student.source", "a_folder")
    with pytest.raises(UserError) as refused:
        admitted(challenge, changed(recipe, name, FIXED[name]))
    first = "student.source" if name == "student.cross_tokenizer" else name
    assert str(refused.value).startswith(f"{first}: ")


def changed(instance, name, value):
    """A tree of dataclasses with another leaf."""
    head, _, rest = name.partition(".")
    inner = changed(getattr(instance, head), rest, value) if rest else value
    return dataclasses.replace(instance, **{head: inner})


def test_the_recipe_in_a_runs_folder_may_enter_as_it_is(little):
    challenge, recipe = little
    trained = admitted(challenge, recipe)
    assert (trained.seed, trained.seeds) == (100, 3)
    assert admitted(challenge, trained) == trained


def test_a_setting_that_recipes_learn_later_is_fixed_until_somebody_frees_it(little):
    """What is free is listed, not what is fixed."""
    challenge, recipe = little
    for field in fields_of(Recipe):
        value = object()
        free = field.name.startswith((*FREE, *IGNORED))
        found = refusal(challenge, recipe, field.name, value)
        assert (found is None) if free else found.startswith(f"{field.name}: "), field.name


def refusal(challenge, recipe, name, value):
    """Why a recipe with another value is not admitted, whatever a recipe itself thinks of it."""
    try:
        admitted(challenge, forced(recipe, name, value))
    except UserError as error:
        return str(error)
    return None


def forced(instance, name, value):
    """As `changed`, past the checks of the dataclass."""
    head, _, rest = name.partition(".")
    copied = copy.copy(instance)
    inner = forced(getattr(instance, head), rest, value) if rest else value
    object.__setattr__(copied, head, inner)
    return copied


def test_what_a_run_has_counted_is_held_to_the_budget(little):
    challenge, _ = little
    allowed = {"teacher_pass": 1, "student": challenge.operations - 1}
    assert check_spent(challenge, allowed, "student") == challenge.operations
    with pytest.raises(UserError, match="seed_101/student: the run has counted"):
        check_spent(
            challenge, allowed | {"seed_101/student": challenge.operations}, "seed_101/student"
        )


def test_the_budget_is_what_the_entry_pocket_takes(tmp_path):
    """The shipped text, teacher, parameters and operations, counted again."""
    recipe = load_recipe(str(FOLDER / "pocket.toml"))
    attempt = open_attempt(CHALLENGE, recipe, tmp_path / "run", "pocket")
    assert attempt.cost.operations == CHALLENGE.operations
    check_teacher(CHALLENGE, POCKET_TEACHER)
    assert attempt.cost.most_steps == recipe.student.training.steps
    wide = changed(recipe, "student.size", ModelSize(136, 3, 4, initial_std=0.09))
    with pytest.raises(UserError, match="1,210,808 parameters are 110,808 more"):
        open_attempt(CHALLENGE, wide, tmp_path / "run", "wide")
