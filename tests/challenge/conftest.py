"""What the tests of the challenge share: a little one, and a recipe that spends its budget."""

import pytest
from little_challenge import make_challenge, recipe_for, write_teacher, write_text

from kdlib.challenge.definition import Challenge
from kdlib.challenge.rules import planned
from kdlib.jobs.classroom import open_classroom
from kdlib.jobs.context import open_context
from kdlib.jobs.recipe import Recipe


@pytest.fixture(scope="session")
def little(tmp_path_factory) -> tuple[Challenge, Recipe]:
    """A challenge, and a recipe that takes exactly its operations and its parameters."""
    folder = tmp_path_factory.mktemp("little")
    text = write_text(folder / "books")
    recipe = recipe_for(text, write_teacher(folder / "teacher", text))
    budget = planned(open_classroom(open_context(recipe, folder / "run")))
    return make_challenge(recipe, budget), recipe
