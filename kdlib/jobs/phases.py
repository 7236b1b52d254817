"""The training phases of a run: teacher, student, twins. Each leaves a folder when it is done.

Who learns stands in ``learners.py``, for how many steps in ``controls.py`` and ``patience.py``.
"""

from __future__ import annotations

import copy
import dataclasses
import time
from typing import TYPE_CHECKING

import torch
from tokenizers import Tokenizer
from torch import nn

from kdlib.data.tokenizer import train_tokenizer
from kdlib.jobs.classroom import Classroom
from kdlib.jobs.compute import of_training, operations_of, writing_of
from kdlib.jobs.context import RunContext
from kdlib.jobs.controls import WITHOUT_TEACHER, control_training, off_policy_training
from kdlib.jobs.expectations import training_bytes
from kdlib.jobs.learners import Learner
from kdlib.jobs.loss_pass import uses_compiled_pass
from kdlib.jobs.recipe import Recipe
from kdlib.jobs.recipe_files import recipe_fingerprint
from kdlib.losses.fused.compiled import use_compiled
from kdlib.machine.devices import compile_layers
from kdlib.machine.distributed import run_on_main
from kdlib.machine.sharding import gather_model
from kdlib.models.folders import save_model, wrap_tokenizer
from kdlib.models.from_scratch import new_model, trainable_count
from kdlib.models.frozen import check_pair
from kdlib.models.lora import adapters_of, merge_adapters
from kdlib.records.template import ChatTemplate
from kdlib.training.loop import train
from kdlib.training.phase import Phase
from kdlib.training.run_state import record_phase
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


# --- Student and twins --------------------------------------------------------------------------


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
    rollouts = recipe.on_policy.rollouts(recipe.data.block)
    task = classroom.task(objective, training, classroom.targets, rollouts)
    learn(classroom, learner, classroom.new_learner(learner.seed), task)


def train_off_policy(classroom: Classroom, learner: Learner) -> None:
    """Train the student again from the same teacher, on given text only, and save it.

    Args:
        classroom: teacher and text.
        learner: its name and seed.

    Raises:
        Interrupted: after a signal, once a checkpoint is written.
    """
    context, model = classroom.context, classroom.new_learner(learner.seed)
    recipe = context.recipe
    task = classroom.task(recipe.objective.objective(), recipe.student.training, classroom.targets)
    costs = operations_of(model, task.blocks)
    operations = of_training(task, costs, classroom.teacher_operations)
    training = off_policy_training(context, learner.role, operations)
    learn(classroom, learner, model, dataclasses.replace(task, training=training))


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
    """Train a student or a twin and save it.

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
    writing = writing_of(model, task.rollouts)
    operations = of_training(task, costs, classroom.teacher_operations, writing)
    trained = _train(classroom.context, learner, model, task, operations)
    folder = classroom.context.folder / learner.name
    tokenizer = _with_template(classroom.context.recipe, classroom.tokenizer)
    run_on_main(lambda: save_model(merge_adapters(trained), tokenizer, folder))


def _with_template(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    """A student of records takes along the template that it was asked by, whatever the teacher had."""
    if not recipe.data.records:
        return tokenizer
    own = copy.deepcopy(tokenizer)
    own.chat_template = ChatTemplate(tokenizer, recipe.data.template).unmarked
    return own


def _train(
    context: RunContext, learner: Learner, model: nn.Module, task: Task, operations: int
) -> nn.Module:
    """Train the model, record what it took, and return it gathered on every rank."""
    recipe, training = context.recipe, task.training
    phase = Phase(
        learner.name, context.folder, recipe_fingerprint(recipe), learner.seed, recipe.log.to
    )
    if recipe.compile:
        compile_layers(model)
    with use_compiled(uses_compiled_pass(context)):
        end = train(model, task, phase, context.accelerator)
    tokens = round(training.steps * training.batch * task.blocks.predicted_per_block)
    run_on_main(
        lambda: record_phase(
            context.folder,
            learner.name,
            end.seconds,
            operations,
            steps=training.steps,
            training_tokens=tokens,
            **_of_adapters(model),
        )  # fmt: skip
    )
    return gather_model(model)


def _of_adapters(model: nn.Module) -> dict[str, int]:
    """How little of a model is trained, if it has adapters."""
    if adapters_of(model) is None:
        return {}
    return {
        "trainable_parameters": trainable_count(model),
        "training_bytes": training_bytes(model),
    }
