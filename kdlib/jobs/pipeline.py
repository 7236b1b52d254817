"""A run from recipe to report, as a table of contents.

1. Read the text, load the teacher, and refuse what cannot work: ``context.py``, ``classroom.py``,
   ``checks.py``. Say what the run will take and whether the teacher knows the text: ``preview.py``.
2. Create the run's folder and lock it: ``kdlib/training/run_folder.py``.
3. Train the teacher, unless the recipe names one that exists: ``phases.py``.
4. Train the student from its teacher's targets: ``phases.py``, ``students.py``, ``targets.py``.
5. Train its twins, without own texts or without a teacher: ``controls.py``, ``patience.py``.
   Student and twins are trained once per seed: ``learners.py``.
6. Measure all models, write the report and the model card: ``measure.py``, ``samples.py``.

Each finished phase leaves a folder or an entry in the run's state, so a run that stops anywhere
resumes where it was.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from kdlib.files import locked
from kdlib.jobs.advice import advice
from kdlib.jobs.checks import check_shares, refuse_another_recipe, refuse_files_in_place
from kdlib.jobs.classroom import Classroom, open_classroom
from kdlib.jobs.context import RunContext, RunModels, open_context
from kdlib.jobs.kept import refuse_missing_packages
from kdlib.jobs.learners import Learner, learners
from kdlib.jobs.measure import measure_run
from kdlib.jobs.model_guard import model_checksums, refuse_other_models
from kdlib.jobs.patience import train_patiently
from kdlib.jobs.phases import train_control, train_off_policy, train_student, train_teacher
from kdlib.jobs.preview import preview
from kdlib.jobs.provenance import write_provenance
from kdlib.jobs.recipe import Recipe
from kdlib.jobs.recipe_files import load_recipe, recipe_of_run, recipe_to_toml
from kdlib.jobs.text_guard import refuse_another_text, text_checksums
from kdlib.jobs.threads import note_threads, threads_of
from kdlib.machine.console import show
from kdlib.machine.distributed import hold_on_main, is_main, run_on_main
from kdlib.machine.sharding import is_sharding
from kdlib.training.run_folder import CHECKPOINT, check_free, prepare_run, require_run
from kdlib.training.trackers import refuse_missing_tracker


def distill(
    recipe: Recipe | str,
    folder: Path | str,
    name: str | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    dry_run: bool = False,
) -> dict[str, Any] | None:
    """Distil a student, train its controls, and report.

    Whatever can be refused is refused before the folder is touched. Only the main rank writes to
    the folder and makes the report; the other ranks end with the training.

    Args:
        recipe: a recipe, the name of a built-in one, or the path of a recipe file.
        folder: the run's folder, a new one or, with `resume`, an existing one.
        name: what the report calls the run; by default the folder's name.
        resume: continue the run in the folder.
        overwrite: delete the run in the folder first.
        dry_run: only look at the run (see ``preview.py``); nothing is written but the tokens of a
            large text, which the run will read (see ``tokenising.py``).

    Returns:
        The report; None if the recipe stops before it, for a dry run, and on all ranks but the main
        one.

    Raises:
        UserError: for input that cannot be used.
        Interrupted: after a signal, once a checkpoint is written.
    """
    recipe = load_recipe(recipe) if isinstance(recipe, str) else recipe
    folder = Path(folder)
    refuse_missing_tracker(recipe.log.to)
    refuse_missing_packages(recipe)
    if not resume and not dry_run:
        check_free(folder, overwrite=overwrite)  # at once, before the teacher is loaded
    context, classroom = _open(recipe, folder, resume=resume)
    with threads_of(folder if resume else None, context.accelerator.device) as threads:
        if is_main() and (dry_run or not resume):
            show("\n".join([*preview(context, classroom), *advice(recipe)]))
        if dry_run:
            return None
        if not resume:
            begin_run(context, name or folder.resolve().name, overwrite=overwrite)
        with hold_on_main(locked(folder)):
            run_on_main(partial(note_threads, folder, threads))
            return _run(context, classroom)


def _open(recipe: Recipe, folder: Path, *, resume: bool) -> tuple[RunContext, Classroom | None]:
    """Read the text, pick the device, load the teacher if there is one, refuse what cannot work."""
    if resume:
        require_run(folder)
        refuse_another_recipe(recipe, recipe_of_run(folder))
        refuse_files_in_place(RunModels(recipe, folder))
    context = open_context(recipe, folder)
    if resume:
        refuse_another_text(context)
        refuse_other_models(context.models)
    check_shares(context)
    return context, None if recipe.teacher.source == "train" else open_classroom(context)


def begin_run(context: RunContext, name: str, *, overwrite: bool = False) -> None:
    """Create the run's folder, which knows its recipe, text and models from now on.

    Args:
        context: the run.
        name: what its report calls it.
        overwrite: delete the run in the folder first.

    Raises:
        UserError: as `prepare_run`.
    """
    toml = recipe_to_toml(context.recipe)
    checksums = {"text": text_checksums(context.text), "models": model_checksums(context.models)}
    run_on_main(
        partial(prepare_run, context.folder, name, toml, overwrite=overwrite, checksums=checksums)
    )


def _run(context: RunContext, classroom: Classroom | None) -> dict[str, Any] | None:
    """Run every phase that is not done yet, in order."""
    recipe, models = context.recipe, context.models
    if recipe.teacher.source == "train" and not models.has("teacher"):
        train_teacher(context)
    report = None
    if recipe.until == "teacher":
        run_on_main(lambda: write_provenance(context))
    else:
        teacher = _train_learners(context, classroom)
        report = measure_run(context, teacher) if is_main() else None
    # All models are saved by now, and the checkpoint of a real model takes a gigabyte.
    run_on_main(lambda: (context.folder / CHECKPOINT).unlink(missing_ok=True))
    return report


def _train_learners(context: RunContext, classroom: Classroom | None) -> nn.Module | None:
    """Train the student and its twins, of every seed, unless they are finished. Returns the teacher
    if it is whole in this process: the largest model of a run need not be loaded twice."""
    unfinished = [each for each in learners(context.recipe) if not context.models.has(each.name)]
    if unfinished:
        classroom = classroom or open_classroom(context)
        for learner in unfinished:
            HOW_TO_TRAIN[learner.role](classroom, learner)
    return None if classroom is None or is_sharding(context.accelerator) else classroom.teacher


HOW_TO_TRAIN: dict[str, Callable[[Classroom, Learner], None]] = {
    "student": train_student,
    "off_policy_equal_tokens": train_off_policy,
    "off_policy_equal_compute": train_off_policy,
    "control_equal_steps": train_control,
    "control_equal_compute": train_control,
    "control_patient": train_patiently,
}
