"""A run knows its models: what it reads from outside its folder is hashed, and nothing else passes.

Half of a training with one teacher and half with another would be nobody's student, and a student
beside a teacher that was not its own would be measured against a stranger.
"""

from __future__ import annotations

from kdlib.errors import UserError
from kdlib.jobs.context import RunModels
from kdlib.models.checksums import contents_sha256
from kdlib.training.run_state import read_state


def model_checksums(models: RunModels) -> dict[str, str]:
    """The SHA-256 of each model that a run takes from elsewhere, by what it is to the run.

    Args:
        models: of the run.

    Raises:
        UserError: for a model that is not there.
    """
    recipe, outside = models.recipe, {}
    if recipe.teacher.source != "train":
        outside["teacher"] = models.teacher
    if recipe.student.source not in ("new", "pruned"):
        outside["student"] = models.student_source
    return {name: contents_sha256(folder) for name, folder in outside.items()}


def refuse_other_models(models: RunModels) -> None:
    """Refuse to go on with, or to measure, a run whose teacher or student's start has changed.

    A run of an older version has recorded none, and passes.

    Args:
        models: of the run.

    Raises:
        UserError: naming the models that differ.
    """
    recorded = read_state(models.folder).get("models", {})
    now = model_checksums(models) if recorded else {}
    for name, sha256 in recorded.items():
        if now.get(name) != sha256:
            source = getattr(models.recipe, name).source
            raise UserError(
                f"{name}.source: {source} is not the model that {models.folder} was started with;"
                " put the old one back, or start a new run with another --out"
            )
