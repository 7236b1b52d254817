"""The road of a recipe, from a text to a report: read it from top to bottom.

Each finished phase leaves a folder or an entry in the run's state, so a run that stops anywhere
goes on where it was.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kdlib.files import locked
from kdlib.jobs.checks import check_run, refuse_another_recipe
from kdlib.jobs.context import RunContext, open_context
from kdlib.jobs.measure import measure_run, write_provenance
from kdlib.jobs.phases import (
    open_classroom,
    train_control,
    train_student,
    train_teacher,
    wanted_controls,
)
from kdlib.jobs.recipe import Recipe
from kdlib.jobs.recipe_files import load_recipe, recipe_of_run, recipe_to_toml
from kdlib.jobs.targets import make_cache
from kdlib.machine.distributed import hold_on_main, is_main, run_on_main
from kdlib.training.run_folder import CHECKPOINT, prepare_run, require_run


def distill(
    recipe: Recipe | str,
    folder: Path | str,
    name: str | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
) -> dict[str, Any] | None:
    """Distil a student, train its controls, and report.

    Whatever can be refused is refused before the folder is touched. Of several ranks the main one
    writes to the folder and makes the report; the others end with the training.

    Args:
        recipe: what is asked for; or a built-in recipe's name, or a recipe file's path.
        folder: the run's folder, a new one or, with `resume`, one that is there.
        name: what the report calls the run; the folder's name where left out.
        resume: go on with the run in the folder.
        overwrite: delete the run in the folder first.

    Returns:
        The report; None where the recipe stops before it, and on all ranks but the main one.

    Raises:
        UserError: for input that cannot be used.
        Interrupted: after a signal, with a checkpoint written.
    """
    recipe = load_recipe(recipe) if isinstance(recipe, str) else recipe
    folder = Path(folder)
    context = _open(recipe, folder, resume=resume)
    if not resume:
        toml = recipe_to_toml(recipe)
        run_on_main(
            lambda: prepare_run(folder, name or folder.resolve().name, toml, overwrite=overwrite)
        )
    with hold_on_main(locked(folder)):
        return _run(context)


def _open(recipe: Recipe, folder: Path, *, resume: bool) -> RunContext:
    """Text read, device picked, and everything refused that can be."""
    if resume:
        require_run(folder)
        refuse_another_recipe(recipe, recipe_of_run(folder))
    context = open_context(recipe, folder)
    check_run(context)
    return context


def _run(context: RunContext) -> dict[str, Any] | None:
    """Every phase that is not done yet, in order."""
    recipe, models = context.recipe, context.models
    if recipe.teacher.source == "train" and not models.has("teacher"):
        train_teacher(context)
    report = None
    if recipe.until == "teacher":
        run_on_main(lambda: write_provenance(context))
    else:
        _train_learners(context)
        report = measure_run(context) if is_main() else None
    # All phases are saved, and of a real model the checkpoint is a gigabyte.
    run_on_main(lambda: (context.folder / CHECKPOINT).unlink(missing_ok=True))
    return report


def _train_learners(context: RunContext) -> None:
    """The student, then its controls."""
    models = context.models
    controls = [name for name in wanted_controls(context) if not models.has(name)]
    if models.has("student") and not controls:
        return
    classroom = open_classroom(context)
    if not models.has("student"):
        train_student(context, classroom)
    for name in controls:
        train_control(context, classroom, name)


def cache_targets(recipe: Recipe, folder: Path) -> dict[str, Any]:
    """The first stretch of the road alone: the teacher's sparse targets, for runs that follow.

    Returns:
        The manifest of the cache in `folder`.

    Raises:
        UserError: as `distill`; and where the folder holds something else.
    """
    return make_cache(_open(recipe, folder, resume=False), folder)
