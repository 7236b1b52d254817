"""What a recipe says that its writer may not have meant: advice, in a sentence each, never a refusal."""

from __future__ import annotations

from kdlib.jobs.recipe import Recipe


def advice(recipe: Recipe) -> list[str]:
    """What to think about before the run begins; empty where there is nothing."""
    return [*_shares(recipe), *_spans_alone(recipe)]


def _shares(recipe: Recipe) -> list[str]:
    """The built-in recipes take shares that fit the embedded corpus."""
    data = recipe.data
    if data.text == "sotu" or data.fraction == data.test_fraction == 1:
        return []
    return [
        f"Of {data.text} the student reads {100 * data.fraction:.3g} % of the training documents, and the"
        f" report {100 * data.test_fraction:.3g} % of the test documents: --data.fraction 1"
        " --data.test-fraction 1 takes all."
    ]


def _spans_alone(recipe: Recipe) -> list[str]:
    """Measured: such a student ended behind its control."""
    if not recipe.student.cross_tokenizer or recipe.objective.objective().label_weight:
        return []
    return [
        "Spans without labels teach too little of a language: --objective.weight 0.5 gives the"
        " labels their share."
    ]
