"""Who learns in a run: the student and its controls, each once per seed."""

from __future__ import annotations

from typing import NamedTuple

from kdlib.jobs.recipe import Recipe
from kdlib.reports.fields import CONTROLS, OFF_POLICY


class Learner(NamedTuple):
    """One model that a run trains beside the teacher.

    Attributes:
        role: "student" or the name of a twin, a control for one.
        seed: of its initial weights and of the order of its data.
        name: of its folder in the run's, of its log lines and of its records.
    """

    role: str
    seed: int
    name: str


def wanted_twins(recipe: Recipe) -> list[str]:
    """Who is trained beside the student, in this order: the student once more, off-policy if it
    writes texts itself, and as a control."""
    off = OFF_POLICY if recipe.on_policy.share and recipe.controls.off_policy else ()
    return [*off, *_wanted_controls(recipe)]


def _wanted_controls(recipe: Recipe) -> list[str]:
    return [name for name in CONTROLS if getattr(recipe.controls, name.removeprefix("control_"))]


def seeds(recipe: Recipe) -> range:
    """The seeds of the recipe's trainings."""
    return range(recipe.seed, recipe.seed + recipe.seeds)


def learners(recipe: Recipe) -> list[Learner]:
    """All learners of a recipe, in the order in which they are trained: seed by seed.

    Student and twins of one seed start from the same weights and read the same blocks in the
    same order, so they differ in nothing but how they are taught.
    """
    roles = ["student", *wanted_twins(recipe)]
    return [learner(recipe, role, seed) for seed in seeds(recipe) for role in roles]


def learner(recipe: Recipe, role: str, seed: int) -> Learner:
    """A learner of this role and seed; those of the first seed are named by their role alone."""
    return Learner(role, seed, role if seed == recipe.seed else f"seed_{seed}/{role}")
