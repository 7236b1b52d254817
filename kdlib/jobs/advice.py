"""Advice about settings that may not be meant, one sentence each. Nothing is refused here."""

from __future__ import annotations

from kdlib.data.sources import EMBEDDED
from kdlib.jobs.recipe import Recipe
from kdlib.records.stdlib import STDLIB


def advice(recipe: Recipe) -> list[str]:
    """What to consider before a run starts.

    Args:
        recipe: the recipe about to run.

    Returns:
        Sentences to print; none if there is nothing to say.
    """
    return [*_shares(recipe), *_spans_alone(recipe), *_two_seeds(recipe)]


def _shares(recipe: Recipe) -> list[str]:
    """The default shares of the data suit the embedded texts, not a text of the user's own."""
    data = recipe.data
    if data.name in (*EMBEDDED, STDLIB) or data.fraction == data.test_fraction == 1:
        return []
    what = "records" if data.records else "documents"
    return [
        f"Of {data.name} the student reads {100 * data.fraction:.3g} % of the training {what},"
        f" and the report {100 * data.test_fraction:.3g} % of the test {what}: --data.fraction 1"
        " --data.test-fraction 1 takes all."
    ]


def _spans_alone(recipe: Recipe) -> list[str]:
    """A student taught by spans alone was measured to end behind its control."""
    if not recipe.student.cross_tokenizer or recipe.objective.objective().label_weight:
        return []
    return [
        "Spans without labels teach too little of a language: --objective.weight 0.5 gives the"
        " labels their share."
    ]


def _two_seeds(recipe: Recipe) -> list[str]:
    """The spread of two numbers is hardly known: the factor of their interval is 12.7."""
    if recipe.seeds != 2:
        return []
    return [
        "Two seeds say little about a third: at the same spread, the interval over two trainings"
        " is more than three times as wide as over three. --seeds 3 is worth its time."
    ]
