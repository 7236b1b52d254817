"""Advice where a recipe says what its writer may not have meant, and silence elsewhere."""

from dataclasses import replace

import pytest

from kdlib.jobs.advice import advice
from kdlib.jobs.data_settings import Data
from kdlib.jobs.recipe import ObjectiveSettings, Recipe, StudentSettings
from kdlib.jobs.recipe_files import built_in_recipes, load_recipe

OWN_TOKENIZER = StudentSettings(source="folder", cross_tokenizer=True)


@pytest.mark.parametrize("name", built_in_recipes())
def test_the_built_in_recipes_need_none(name):
    assert advice(load_recipe(name)) == []


def test_shares_of_a_text_that_is_the_users_own_are_said():
    one = advice(
        replace(load_recipe("smollm2"), data=Data("my_texts", fraction=0.05, test_fraction=1))
    )
    assert one[0].startswith("Of my_texts the student reads 5 %")
    assert "--data.fraction 1 --data.test-fraction 1" in one[0]
    assert advice(Recipe(data=Data("my_texts", fraction=1, test_fraction=1))) == []


def test_spans_want_labels_beside_them():
    (said,) = advice(Recipe(student=OWN_TOKENIZER))
    assert "--objective.weight 0.5" in said
    for given in (ObjectiveSettings(weight=0.5), ObjectiveSettings("lambda", 4.0)):
        assert advice(Recipe(student=OWN_TOKENIZER, objective=given)) == []


@pytest.mark.parametrize(("seeds", "sentences"), [(1, 0), (2, 1), (3, 0)])
def test_two_seeds_are_too_few(seeds, sentences):
    assert len(advice(Recipe(seeds=seeds))) == sentences


def test_the_interval_over_two_is_as_wide_as_the_advice_says():
    from scipy import stats

    two, three = (stats.t.ppf(0.975, n - 1) / n**0.5 for n in (2, 3))
    assert 3 < two / three < 4
