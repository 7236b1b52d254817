"""The training phases of a run: teacher, student, controls. Each leaves a folder when it is done.

Who learns stands in ``learners.py``, for how many steps in ``controls.py`` and ``patience.py``.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from tokenizers import Tokenizer
from torch import nn

from kdlib.data.blocks import Blocks
from kdlib.data.tokenizer import train_tokenizer
from kdlib.jobs.compute import before_training, of_training, operations_of
from kdlib.jobs.context import RunContext
from kdlib.jobs.controls import WITHOUT_TEACHER, control_training
from kdlib.jobs.learners import Learner
from kdlib.jobs.recipe_files import recipe_fingerprint
from kdlib.jobs.students import new_student
from kdlib.jobs.targets import cached_targets, exact_targets
from kdlib.losses.fused.compiled import use_compiled
from kdlib.losses.objectives import Objective
from kdlib.machine.devices import compile_layers
from kdlib.machine.distributed import run_on_main
from kdlib.machine.sharding import gather_model, is_sharding
from kdlib.models.folders import load_model, load_tokenizer, save_model, wrap_tokenizer
from kdlib.models.from_scratch import new_model
from kdlib.models.frozen import check_pair, freeze
from kdlib.models.operations import BlockOperations
from kdlib.teachers.base import TeacherTargets
from kdlib.teachers.spans import PairedBlocks, SpanLikelihoods
from kdlib.training.loop import train
from kdlib.training.phase import Phase
from kdlib.training.run_folder import record_phase
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
    settings, length = context.recipe.teacher, context.recipe.data.block + 1
    tokenizer = _train_tokenizer(context, length)
    teacher = new_model(settings.size, len(tokenizer), length, context.recipe.seed)
    models, text = context.models, context.text
    task = Task(
        models.blocks(text.splits.training, tokenizer),
        models.blocks(text.splits.validation, tokenizer),
        WITHOUT_TEACHER,
        settings.training,
    )
    costs = operations_of(teacher, task.blocks)
    trained = _train(
        context,
        Learner("teacher", context.recipe.seed, "teacher"),
        teacher,
        task,
        of_training(task, costs, costs),
    )
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
    seconds = time.perf_counter() - started
    run_on_main(lambda: record_phase(context.folder, "tokenizer", seconds))
    return tokenizer


# --- Student and controls -----------------------------------------------------------------------


@dataclass(frozen=True)
class Classroom:
    """What student and controls share.

    Attributes:
        context: the run.
        teacher: frozen.
        tokenizer: of the student and the controls.
        blocks: the training text.
        validation: the validation text.
        pairs: the training text for two tokenizers, if the student has its own; else None.
    """

    context: RunContext
    teacher: nn.Module
    tokenizer: PreTrainedTokenizerFast
    blocks: Blocks
    validation: Blocks
    pairs: PairedBlocks | None

    @cached_property
    def targets(self) -> TeacherTargets:
        """The teacher's targets for the training text, made when the first student asks."""
        return _teach(self)

    @cached_property
    def teacher_operations(self) -> BlockOperations:
        """What the teacher takes to read a block of the training text."""
        return operations_of(self.teacher, self.pairs.teacher if self.pairs else self.blocks)

    def new_learner(self, seed: int) -> nn.Module:
        """A student or a control before its first step."""
        return new_student(self.context, self.teacher, self.tokenizer, self.blocks, seed)

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
        context,
        teacher,
        tokenizer,
        pairs.student if pairs else models.blocks(text.seen, tokenizer),
        models.blocks(text.splits.validation, tokenizer),
        pairs,
    )


def _teach(classroom: Classroom) -> TeacherTargets:
    """The teacher's targets for the student's text; records what the teacher's pass took."""
    context, teacher, pairs = classroom.context, classroom.teacher, classroom.pairs
    started = time.perf_counter()
    targets: TeacherTargets
    if context.recipe.targets.kind != "exact":
        targets, seconds = cached_targets(context, teacher, classroom.tokenizer, classroom.blocks)
    else:
        targets = (
            SpanLikelihoods(teacher, pairs, context.accelerator.autocast)
            if pairs
            else exact_targets(context, teacher, classroom.blocks)
        )
        seconds = time.perf_counter() - started
    read = len(pairs.teacher if pairs else classroom.blocks)
    operations = before_training(targets, classroom.teacher_operations, read)
    run_on_main(lambda: record_phase(context.folder, "teacher_pass", seconds, operations))
    return targets


def train_student(classroom: Classroom, learner: Learner) -> None:
    """Train a student from its teacher, and save it.

    Args:
        classroom: teacher and text.
        learner: the student's name and seed.

    Raises:
        UserError: for a cache of other targets, and for a student that cannot learn from the
            teacher.
        Interrupted: after a signal, once a checkpoint is written.
    """
    recipe = classroom.context.recipe
    objective, training = recipe.objective.objective(), recipe.student.training
    task = classroom.task(objective, training, classroom.targets)
    learn(classroom, learner, classroom.new_learner(learner.seed), task)


def train_control(classroom: Classroom, learner: Learner) -> None:
    """Train one of the controls, the student again without a teacher, and save it.

    Args:
        classroom: the text; the teacher is not asked.
        learner: the control's name and seed.

    Raises:
        Interrupted: after a signal, once a checkpoint is written.
    """
    model = classroom.new_learner(learner.seed)
    operations = operations_of(model, classroom.blocks)
    training = control_training(classroom.context, learner.role, operations)
    learn(classroom, learner, model, classroom.task(WITHOUT_TEACHER, training))


def learn(classroom: Classroom, learner: Learner, model: nn.Module, task: Task) -> None:
    """Train a student or a control and save it.

    Args:
        classroom: the run, the teacher's shape and the tokenizer.
        learner: name and seed.
        model: before its first step; it is trained in place.
        task: what it learns from, and how.

    Raises:
        Interrupted: after a signal, once a checkpoint is written.
    """
    check_pair(classroom.teacher, model, same_tokens=classroom.pairs is None)
    costs = operations_of(model, task.blocks)
    operations = of_training(task, costs, classroom.teacher_operations)
    trained = _train(classroom.context, learner, model, task, operations)
    folder = classroom.context.folder / learner.name
    run_on_main(lambda: save_model(trained, classroom.tokenizer, folder))


def _train(
    context: RunContext, learner: Learner, model: nn.Module, task: Task, operations: int
) -> nn.Module:
    """Train the model, record what it took, and return it gathered on every rank."""
    recipe, training = context.recipe, task.training
    phase = Phase(learner.name, context.folder, recipe_fingerprint(recipe), learner.seed)
    if recipe.compile:
        compile_layers(model)
    with use_compiled(recipe.compile):
        end = train(model, task, phase, context.accelerator)
    tokens = training.steps * training.batch * recipe.data.block
    run_on_main(
        lambda: record_phase(
            context.folder,
            learner.name,
            end.seconds,
            operations,
            steps=training.steps,
            training_tokens=tokens,
        )  # fmt: skip
    )
    return gather_model(model)
