"""The whole job, phase by phase: tokenizer, teacher, student, controls, report.

Each finished phase leaves a folder or an entry in the run's state, so a run that stops anywhere
goes on where it was.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from tokenizers import Tokenizer
from torch import nn

from kdlib.data.blocks import Blocks
from kdlib.data.documents import load_documents
from kdlib.data.tokenizer import train_tokenizer
from kdlib.errors import UserError
from kdlib.files import locked
from kdlib.jobs import measure
from kdlib.jobs.context import Job, open_job
from kdlib.jobs.measure import write_provenance
from kdlib.jobs.recipe import Recipe
from kdlib.jobs.recipe_files import (
    differing_fields,
    recipe_fingerprint,
    recipe_of_run,
    recipe_to_toml,
)
from kdlib.jobs.students import new_student
from kdlib.losses.objectives import Objective
from kdlib.machine.devices import compile_layers
from kdlib.machine.distributed import hold_on_main, is_main, run_on_main
from kdlib.machine.sharding import gather_model, is_sharding, place_module
from kdlib.models.folders import load_model, load_tokenizer, save_model, wrap_tokenizer
from kdlib.models.from_scratch import new_model
from kdlib.models.frozen import check_pair, freeze
from kdlib.reports.model_card import write_model_card
from kdlib.reports.page import write_report
from kdlib.teachers.cache_format import read_manifest
from kdlib.teachers.cache_reader import CachedTargets
from kdlib.teachers.cache_writer import write_cache
from kdlib.teachers.live import (
    Placement,
    TeacherTargets,
    can_precompute,
    live_targets,
    precompute_hidden_states,
    stay_in_place,
)
from kdlib.teachers.spans import precompute_span_likelihoods
from kdlib.training.loop import train
from kdlib.training.phase import Phase
from kdlib.training.run_folder import (
    CHECKPOINT,
    Metrics,
    prepare_run,
    read_state,
    record_seconds,
    record_targets,
    require_run,
)
from kdlib.training.schedule import Training

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

WITHOUT_TEACHER = Objective.from_lambda(0.0)


def distill(
    recipe: Recipe, name: str, folder: Path, *, resume: bool = False, overwrite: bool = False
) -> dict[str, Any] | None:
    """Run the recipe in `folder` and return its report; None where it stops before the report.

    Whatever can be refused is refused before the folder is touched. Of several processes the main
    one writes to the folder and makes the report; the others end with the training. Raises
    UserError for input that cannot be used, Interrupted after a signal.
    """
    if resume:
        require_run(folder)
        _refuse_another_recipe(recipe, recipe_of_run(folder))
    job = open_job(recipe, folder)
    if not resume:
        toml = recipe_to_toml(recipe)
        run_on_main(lambda: prepare_run(folder, name, toml, overwrite=overwrite))
    with hold_on_main(locked(folder)):
        if recipe.teacher.source == "train" and not job.has("teacher"):
            _train_teacher(job)
        report = None
        if recipe.until == "teacher":
            run_on_main(lambda: write_provenance(job))
        else:
            _train_learners(job)
            report = _report(job) if is_main() else None
        # What it kept is finished, and of a real model it is a gigabyte.
        run_on_main(lambda: (folder / CHECKPOINT).unlink(missing_ok=True))
        return report


def make_cache(recipe: Recipe, folder: Path) -> dict[str, Any]:
    """Make the cache of the recipe's sparse targets in `folder`, and return its manifest."""
    job = open_job(recipe, folder)
    tokenizer = load_tokenizer(job.teacher_folder)
    teacher = freeze(load_model(job.teacher_folder)).to(job.accelerator.device)
    blocks = job.blocks(job.seen, tokenizer)
    contents = job.cache_contents(teacher, tokenizer, blocks)
    return write_cache(folder, contents, teacher, blocks, job.accelerator.autocast)


def measure_again(folder: Path) -> dict[str, Any]:
    """Measure a run's finished models again and write its report anew."""
    require_run(folder)
    job = open_job(recipe_of_run(folder), folder)
    with locked(folder):
        return _report(job)


def measure_on(folder: Path, text: str) -> dict[str, Any]:
    """Measure a run's finished models on another text; nothing is written."""
    require_run(folder)
    return measure.measure_on(open_job(recipe_of_run(folder), folder), load_documents(text))


def continuations(folder: Path, prompt: str, tokens: int, seed: int) -> dict[str, str]:
    """How each of a run's models goes on from the prompt."""
    require_run(folder)
    recipe = dataclasses.replace(recipe_of_run(folder), seed=seed)
    return measure.continuations(open_job(recipe, folder), prompt, tokens)


def _refuse_another_recipe(asked: Recipe, saved: Recipe) -> None:
    differing = differing_fields(saved, asked)
    if differing:
        raise UserError(
            f"resume: {', '.join(differing)} is other than in the run; leave it as it was, or start"
            " a new run with another --out"
        )


def _report(job: Job) -> dict[str, Any]:
    report = measure.measure(job)
    write_report(report, Metrics(job.folder).rows(), job.folder)
    write_model_card(report, job.folder / "student")
    return report


# --- Phases -------------------------------------------------------------------------------------


def _train_teacher(job: Job) -> None:
    settings, context = job.recipe.teacher, 2 * job.recipe.data.block
    started = time.perf_counter()
    documents, vocabulary = job.documents.training, job.recipe.data.vocabulary
    written = run_on_main(lambda: train_tokenizer(documents, vocabulary).to_str())
    tokenizer = wrap_tokenizer(Tokenizer.from_str(written), context)
    for documents in (job.seen, job.documents.validation, job.test):
        job.blocks(documents, tokenizer)  # too short a text is refused now, not after the training
    _record_seconds(job, "tokenizer", time.perf_counter() - started)
    teacher = new_model(settings.size, len(tokenizer), context, job.recipe.seed)
    blocks = job.blocks(job.documents.training, tokenizer)
    trained = _train(job, "teacher", teacher, tokenizer, blocks, WITHOUT_TEACHER, settings.training)
    dtype = getattr(torch, settings.precision_on_disk)
    run_on_main(lambda: save_model(trained, tokenizer, job.folder / "teacher", dtype))


def _train_learners(job: Job) -> None:
    tokenizer = load_tokenizer(job.tokenizer_folder)
    teacher = freeze(load_model(job.teacher_folder))
    if not is_sharding(job.accelerator):
        teacher = teacher.to(job.accelerator.device)
    pairs = job.pairs(job.seen) if job.recipe.student.cross_tokenizer else None
    blocks = pairs.student if pairs else job.blocks(job.seen, tokenizer)
    controls, training = job.recipe.controls, job.recipe.student.training

    def learn(
        name: str,
        objective: Objective,
        training: Training,
        targets: TeacherTargets | None = None,
    ) -> None:
        model = new_student(job, teacher, tokenizer, blocks)
        check_pair(teacher, model, same_tokens=pairs is None)
        trained = _train(job, name, model, tokenizer, blocks, objective, training, targets)
        run_on_main(lambda: save_model(trained, tokenizer, job.folder / name))

    if not job.has("student"):
        teacher_targets: TeacherTargets
        if job.recipe.targets.kind == "exact":
            started = time.perf_counter()
            if pairs:
                teacher_targets = precompute_span_likelihoods(teacher, pairs)
            else:
                teacher_targets = _exact_targets(
                    _reader(job, teacher), blocks, training, _placement(job)
                )
            _record_seconds(job, "teacher_pass", time.perf_counter() - started)
        else:
            teacher_targets = _cached_targets(job, teacher, tokenizer, blocks)
        learn("student", job.recipe.objective.objective(), training, teacher_targets)
    # Without the control of equal steps nobody knows how many steps take as long as the student.
    if (controls.equal_steps or controls.equal_time) and not job.has("control_equal_steps"):
        learn("control_equal_steps", WITHOUT_TEACHER, training)
    if controls.equal_time and not job.has("control_equal_time"):
        steps = _steps_of_equal_time(read_state(job.folder)["seconds"], training.steps)
        longer = dataclasses.replace(training, steps=steps)
        learn("control_equal_time", WITHOUT_TEACHER, longer)


def _steps_of_equal_time(seconds: dict[str, float], steps: int) -> int:
    """How many steps without a teacher take as long as the student took with one."""
    with_teacher = seconds["teacher_pass"] + seconds["student"]
    return max(1, round(steps * with_teacher / seconds["control_equal_steps"]))


def _exact_targets(
    teacher: nn.Module,
    blocks: Blocks,
    training: Training,
    where: Placement = stay_in_place,
) -> TeacherTargets:
    sees_data_twice = training.steps * training.batch > len(blocks)
    if sees_data_twice and can_precompute(teacher, blocks):
        return precompute_hidden_states(teacher, blocks, where)
    return live_targets(teacher, where)


def _reader(job: Job, teacher: nn.Module) -> nn.Module:
    """The teacher as it is read; a copy where it will lie in parts, for students may be cut out of
    the whole one."""
    reader = copy.deepcopy(teacher) if is_sharding(job.accelerator) else teacher
    if job.recipe.compile:
        compile_layers(reader)
    return reader


def _placement(job: Job) -> Placement:
    return functools.partial(place_module, accelerator=job.accelerator)


def _cached_targets(
    job: Job, teacher: nn.Module, tokenizer: PreTrainedTokenizerFast, blocks: Blocks
) -> CachedTargets:
    """Make the cache unless it was given, and note what it is worth.

    Its seconds are those of its makers, so that the control of equal time gets this run's share of
    them whether or not they were spent today.
    """
    contents = job.cache_contents(teacher, tokenizer, blocks)
    if not job.recipe.targets.cache:
        run_on_main(
            lambda: write_cache(
                job.cache_folder, contents, teacher, blocks, job.accelerator.autocast
            )
        )
    targets = CachedTargets(job.cache_folder, contents, blocks)
    manifest, training = read_manifest(job.cache_folder), job.recipe.student.training
    share = blocks.predicted_tokens / manifest["tokens"]
    _record_seconds(job, "teacher_pass", manifest["seconds"] * share)
    saved = max(0, training.steps * training.batch - len(blocks))
    run_on_main(lambda: record_targets(job.folder, manifest["bytes_per_token"], saved))
    if is_main():
        print(
            f"Targets: {job.cache_folder}, {manifest['bytes_per_token']} bytes a token; the teacher"
            f" reads each block once and is spared {saved} further readings of one."
        )
    return targets


def _train(
    job: Job,
    name: str,
    model: nn.Module,
    tokenizer: PreTrainedTokenizerFast,
    blocks: Blocks,
    objective: Objective,
    training: Training,
    teacher_targets: TeacherTargets | None = None,
) -> nn.Module:
    """Train the model, note what it took, and return it whole."""
    validation = job.blocks(job.documents.validation, tokenizer)
    phase = Phase(name, job.folder, recipe_fingerprint(job.recipe), job.recipe.seed)
    if job.recipe.compile:
        compile_layers(model)
    end = train(
        model, blocks, validation, objective, training, phase, job.accelerator, teacher_targets
    )
    _record_seconds(
        job,
        name,
        end.seconds,
        steps=training.steps,
        training_tokens=training.steps * training.batch * job.recipe.data.block,
    )
    return gather_model(model)


def _record_seconds(job: Job, phase: str, seconds: float, **training: int) -> None:
    run_on_main(lambda: record_seconds(job.folder, phase, seconds, **training))
