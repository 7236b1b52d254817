"""The training phases of a run: teacher, student, controls. Each leaves a folder when it is done.

Which controls there are stands in ``controls.py``.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from tokenizers import Tokenizer
from torch import nn

from kdlib.data.blocks import Blocks
from kdlib.data.tokenizer import train_tokenizer
from kdlib.jobs.context import RunContext
from kdlib.jobs.controls import WITHOUT_TEACHER, control_training
from kdlib.jobs.recipe_files import recipe_fingerprint
from kdlib.jobs.students import new_student
from kdlib.jobs.targets import cached_targets, exact_targets
from kdlib.losses.objectives import Objective
from kdlib.machine.devices import compile_layers
from kdlib.machine.distributed import run_on_main
from kdlib.machine.sharding import gather_model, is_sharding
from kdlib.models.folders import load_model, load_tokenizer, save_model, wrap_tokenizer
from kdlib.models.from_scratch import new_model
from kdlib.models.frozen import check_pair, freeze
from kdlib.teachers.base import TeacherTargets
from kdlib.teachers.spans import PairedBlocks, SpanLikelihoods
from kdlib.training.loop import train
from kdlib.training.phase import Phase
from kdlib.training.run_folder import record_seconds
from kdlib.training.schedule import Training
from kdlib.training.task import Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def train_teacher(context: RunContext) -> None:
    """Train a tokenizer and a teacher from scratch on all training documents.

    Args:
        context: the run.

    Raises:
        UserError: for a text too short to be cut into blocks.
        Interrupted: after a signal, once a checkpoint is written.
    """
    settings, length = context.recipe.teacher, 2 * context.recipe.data.block
    tokenizer = _train_tokenizer(context, length)
    teacher = new_model(settings.size, len(tokenizer), length, context.recipe.seed)
    models, text = context.models, context.text
    task = Task(
        models.blocks(text.splits.training, tokenizer),
        models.blocks(text.splits.validation, tokenizer),
        WITHOUT_TEACHER,
        settings.training,
    )
    trained = _train(context, "teacher", teacher, task)
    dtype = getattr(torch, settings.precision_on_disk)
    run_on_main(lambda: save_model(trained, tokenizer, context.folder / "teacher", dtype))


def _train_tokenizer(context: RunContext, length: int) -> PreTrainedTokenizerFast:
    """Train the tokenizer of a model with this context length, and check all splits with it."""
    started, models, text = time.perf_counter(), context.models, context.text
    documents, vocabulary = text.splits.training, context.recipe.data.vocabulary
    # As text, because every rank gets the tokenizer from the main one.
    serialised = run_on_main(lambda: train_tokenizer(documents, vocabulary).to_str())
    tokenizer = wrap_tokenizer(Tokenizer.from_str(serialised), length)
    # A text that is too short is refused now, not after the training.
    for documents in (text.seen, text.splits.validation, text.test):
        models.blocks(documents, tokenizer)
    _record_seconds(context, "tokenizer", time.perf_counter() - started)
    return tokenizer


# --- Student and controls -----------------------------------------------------------------------


@dataclass(frozen=True)
class Classroom:
    """What student and controls share.

    Attributes:
        teacher: frozen.
        tokenizer: of the student and the controls.
        blocks: the training text.
        validation: the validation text.
        pairs: the training text for two tokenizers, if the student has its own; else None.
    """

    teacher: nn.Module
    tokenizer: PreTrainedTokenizerFast
    blocks: Blocks
    validation: Blocks
    pairs: PairedBlocks | None

    def task(
        self, objective: Objective, training: Training, targets: TeacherTargets | None = None
    ) -> Task:
        """What one of those who learn here is to learn."""
        return Task(self.blocks, self.validation, objective, training, targets)


def open_classroom(context: RunContext) -> Classroom:
    """Load the teacher and cut the text into blocks for the student and the controls.

    Args:
        context: the run, whose teacher is finished.
    """
    models, text = context.models, context.text
    tokenizer = load_tokenizer(models.tokenizer)
    teacher = freeze(load_model(models.teacher))
    if not is_sharding(context.accelerator):
        teacher = teacher.to(context.accelerator.device)
    pairs = models.pairs(text.seen) if context.recipe.student.cross_tokenizer else None
    return Classroom(
        teacher,
        tokenizer,
        pairs.student if pairs else models.blocks(text.seen, tokenizer),
        models.blocks(text.splits.validation, tokenizer),
        pairs,
    )


def train_student(context: RunContext, classroom: Classroom) -> None:
    """Train the student from its teacher, and save it.

    Args:
        context: the run.
        classroom: teacher and text.

    Raises:
        UserError: for a cache of other targets, and for a student that cannot learn from the
            teacher.
        Interrupted: after a signal, once a checkpoint is written.
    """
    recipe, targets = context.recipe, _teach(context, classroom)
    task = classroom.task(recipe.objective.objective(), recipe.student.training, targets)
    _learn(context, classroom, "student", task)


def train_control(context: RunContext, classroom: Classroom, name: str) -> None:
    """Train one of the controls, the student again without a teacher, and save it.

    Args:
        context: the run, whose student is finished.
        classroom: the text; the teacher is not read.
        name: a key of `CONTROL_STEPS`.

    Raises:
        Interrupted: after a signal, once a checkpoint is written.
    """
    task = classroom.task(WITHOUT_TEACHER, control_training(context, name))
    _learn(context, classroom, name, task)


def _teach(context: RunContext, classroom: Classroom) -> TeacherTargets:
    """The teacher's targets for the student's text; records the seconds of the teacher's pass."""
    if context.recipe.targets.kind == "exact":
        started = time.perf_counter()
        targets: TeacherTargets = (
            SpanLikelihoods(classroom.teacher, classroom.pairs)
            if classroom.pairs
            else exact_targets(context, classroom.teacher, classroom.blocks)
        )
        seconds = time.perf_counter() - started
    else:
        targets, seconds = cached_targets(
            context, classroom.teacher, classroom.tokenizer, classroom.blocks
        )
    _record_seconds(context, "teacher_pass", seconds)
    return targets


def _learn(context: RunContext, classroom: Classroom, name: str, task: Task) -> None:
    """Train a student or a control from its initial weights and save it."""
    model = new_student(context, classroom.teacher, classroom.tokenizer, classroom.blocks)
    check_pair(classroom.teacher, model, same_tokens=classroom.pairs is None)
    trained = _train(context, name, model, task)
    run_on_main(lambda: save_model(trained, classroom.tokenizer, context.folder / name))


def _train(context: RunContext, name: str, model: nn.Module, task: Task) -> nn.Module:
    """Train the model, record its seconds and tokens, and return it gathered on every rank."""
    recipe, training = context.recipe, task.training
    phase = Phase(name, context.folder, recipe_fingerprint(recipe), recipe.seed)
    if recipe.compile:
        compile_layers(model)
    end = train(model, task, phase, context.accelerator)
    tokens = training.steps * training.batch * recipe.data.block
    _record_seconds(context, name, end.seconds, steps=training.steps, training_tokens=tokens)
    return gather_model(model)


def _record_seconds(context: RunContext, phase: str, seconds: float, **training: int) -> None:
    """Record a finished phase, on the main rank."""
    run_on_main(lambda: record_seconds(context.folder, phase, seconds, **training))
