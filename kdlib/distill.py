"""The whole job, phase by phase: tokenizer, teacher, student, controls, report.

Each finished phase leaves a folder or an entry in the run's state, so a run that stops anywhere goes
on where it was.
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import torch
from torch import nn

from kdlib import data, measure, models, recipes, runs, teachers
from kdlib.errors import UserError
from kdlib.job import Job, open_job
from kdlib.objectives import Objective
from kdlib.recipes import Recipe
from kdlib.report import write_report
from kdlib.schedule import Training
from kdlib.train import Phase, train

WITHOUT_TEACHER = Objective.from_lambda(0.0)


def distill(
    recipe: Recipe, name: str, folder: Path, *, resume: bool = False, overwrite: bool = False
) -> dict | None:
    """Run the recipe in `folder` and return its report; None where it stops before the report.

    Whatever can be refused is refused before the folder is touched. Raises UserError for input that
    cannot be used, Interrupted after a signal.
    """
    if resume:
        runs.require(folder)
        _refuse_another_recipe(recipe, recipes.of_run(folder))
    job = open_job(recipe, folder)
    if not resume:
        runs.prepare(folder, name, recipes.to_toml(recipe), overwrite=overwrite)
    with runs.claimed(folder):
        if recipe.teacher.source == "train" and not job.has("teacher"):
            _train_teacher(job)
        if recipe.until == "teacher":
            measure.write_provenance(job)
            return None
        _train_learners(job)
        return _report(job)


def measure_again(folder: Path) -> dict:
    """Measure a run's finished models again and write its report anew."""
    runs.require(folder)
    job = open_job(recipes.of_run(folder), folder)
    with runs.claimed(folder):
        return _report(job)


def continuations(folder: Path, prompt: str, tokens: int, seed: int) -> dict[str, str]:
    """How each of a run's models goes on from the prompt."""
    runs.require(folder)
    recipe = dataclasses.replace(recipes.of_run(folder), seed=seed)
    return measure.continuations(open_job(recipe, folder), prompt, tokens)


def _refuse_another_recipe(asked: Recipe, saved: Recipe) -> None:
    differing = recipes.differing_fields(saved, asked)
    if differing:
        raise UserError(
            f"resume: {', '.join(differing)} is other than in the run; leave it as it was, or start"
            " a new run with another --out"
        )


def _report(job: Job) -> dict:
    report = measure.measure(job)
    write_report(report, runs.Metrics(job.folder).rows(), job.folder)
    return report


# --- Phases -------------------------------------------------------------------------------------


def _train_teacher(job: Job) -> None:
    settings, context = job.recipe.teacher, 2 * job.recipe.data.block
    started = time.perf_counter()
    trained = data.train_tokenizer(job.documents.training, job.recipe.data.vocabulary)
    tokenizer = models.wrap_tokenizer(trained, context)
    runs.record_seconds(job.folder, "tokenizer", time.perf_counter() - started)
    teacher = models.new_model(settings.size, len(tokenizer), context, job.recipe.seed)
    blocks = job.blocks(job.documents.training, tokenizer)
    _train(job, "teacher", teacher, tokenizer, blocks, WITHOUT_TEACHER, settings.training)
    dtype = getattr(torch, settings.precision_on_disk)
    models.save_model(teacher, tokenizer, job.folder / "teacher", dtype)


def _train_learners(job: Job) -> None:
    tokenizer = models.load_tokenizer(job.teacher_folder)
    teacher = models.freeze(models.load_model(job.teacher_folder)).to(job.accelerator.device)
    blocks = job.blocks(job.seen, tokenizer)
    controls, training = job.recipe.controls, job.recipe.student.training

    def learn(name: str, objective: Objective, training: Training, teacher_targets=None) -> None:
        size, context = job.recipe.student.size, 2 * job.recipe.data.block
        model = models.new_model(size, teacher.config.vocab_size, context, job.recipe.seed)
        models.check_pair(teacher, model)
        _train(job, name, model, tokenizer, blocks, objective, training, teacher_targets)
        models.save_model(model, tokenizer, job.folder / name)

    if not job.has("student"):
        started = time.perf_counter()
        teacher_targets = _teacher_targets(teacher, blocks, training)
        runs.record_seconds(job.folder, "teacher_pass", time.perf_counter() - started)
        learn("student", job.recipe.objective.objective(), training, teacher_targets)
    # Without the control of equal steps nobody knows how many steps take as long as the student.
    if (controls.equal_steps or controls.equal_time) and not job.has("control_equal_steps"):
        learn("control_equal_steps", WITHOUT_TEACHER, training)
    if controls.equal_time and not job.has("control_equal_time"):
        steps = _steps_of_equal_time(runs.read_state(job.folder)["seconds"], training.steps)
        longer = dataclasses.replace(training, steps=steps)
        learn("control_equal_time", WITHOUT_TEACHER, longer)


def _steps_of_equal_time(seconds: dict[str, float], steps: int) -> int:
    """How many steps without a teacher take as long as the student took with one."""
    with_teacher = seconds["teacher_pass"] + seconds["student"]
    return max(1, round(steps * with_teacher / seconds["control_equal_steps"]))


def _teacher_targets(
    teacher: nn.Module, blocks: data.Blocks, training: Training
) -> teachers.TeacherTargets:
    sees_data_twice = training.steps * training.batch > len(blocks)
    if sees_data_twice and teachers.can_remember(teacher, blocks):
        return teachers.remember(teacher, blocks)
    return teachers.run_each_time(teacher)


def _train(
    job: Job,
    name: str,
    model: nn.Module,
    tokenizer,
    blocks: data.Blocks,
    objective: Objective,
    training: Training,
    teacher_targets: teachers.TeacherTargets | None = None,
) -> None:
    validation = job.blocks(job.documents.validation, tokenizer)
    phase = Phase(name, job.folder, recipes.fingerprint(job.recipe), job.recipe.seed)
    end = train(
        model, blocks, validation, objective, training, phase, job.accelerator, teacher_targets
    )
    runs.record_seconds(
        job.folder,
        name,
        end.seconds,
        steps=training.steps,
        training_tokens=training.steps * training.batch * job.recipe.data.block,
    )
