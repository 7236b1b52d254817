"""The training phases of a run: teacher, student, controls. Each leaves a folder when it is done.

A control is the same student, from the same weights, on the same text, without a teacher: what
distillation has to beat. Which controls there are stands in `CONTROL_STEPS`.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from tokenizers import Tokenizer
from torch import nn

from kdlib.data.blocks import Blocks
from kdlib.data.tokenizer import train_tokenizer
from kdlib.jobs.context import RunContext
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
from kdlib.teachers.spans import PairedBlocks, SpanLikelihoods
from kdlib.teachers.targets import TeacherTargets
from kdlib.training.loop import train
from kdlib.training.phase import Phase
from kdlib.training.run_folder import read_state, record_seconds
from kdlib.training.schedule import Training
from kdlib.training.task import Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

WITHOUT_TEACHER = Objective.from_lambda(0.0)


def train_teacher(context: RunContext) -> None:
    """Train tokenizer and teacher from scratch on all training documents."""
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
    started, models, text = time.perf_counter(), context.models, context.text
    documents, vocabulary = text.splits.training, context.recipe.data.vocabulary
    written = run_on_main(lambda: train_tokenizer(documents, vocabulary).to_str())
    tokenizer = wrap_tokenizer(Tokenizer.from_str(written), length)
    for documents in (text.seen, text.splits.validation, text.test):
        models.blocks(
            documents, tokenizer
        )  # too short a text is refused now, not after the training
    _record_seconds(context, "tokenizer", time.perf_counter() - started)
    return tokenizer


# --- Student and controls -----------------------------------------------------------------------


@dataclass(frozen=True)
class Classroom:
    """What student and controls share: the teacher, the tokenizer, and the text in blocks."""

    teacher: nn.Module
    tokenizer: PreTrainedTokenizerFast
    blocks: Blocks
    validation: Blocks
    pairs: PairedBlocks | None  # where the student has a tokenizer of its own


def open_classroom(context: RunContext) -> Classroom:
    """Load the teacher, and cut the text for those who learn."""
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
    """Train the student from its teacher."""
    objective, training = context.recipe.objective.objective(), context.recipe.student.training
    _learn(context, classroom, "student", objective, training, _teach(context, classroom))


def train_control(context: RunContext, classroom: Classroom, name: str) -> None:
    """Train one of the controls: the student again, without a teacher."""
    training = dataclasses.replace(
        context.recipe.student.training, steps=CONTROL_STEPS[name](context)
    )
    _learn(context, classroom, name, WITHOUT_TEACHER, training)


def wanted_controls(context: RunContext) -> list[str]:
    """The controls that the recipe asks for, in the order in which they can be trained."""
    controls = context.recipe.controls
    # Only the control of equal steps tells how many steps take as long as the student's.
    wanted = {
        "control_equal_steps": controls.equal_steps or controls.equal_time,
        "control_equal_time": controls.equal_time,
    }
    return [name for name in CONTROL_STEPS if wanted[name]]


def _equal_steps(context: RunContext) -> int:
    return context.recipe.student.training.steps


def _equal_time(context: RunContext) -> int:
    """How many steps without a teacher take as long as the student took with one."""
    seconds = read_state(context.folder)["seconds"]
    return steps_of_equal_time(seconds, context.recipe.student.training.steps)


def steps_of_equal_time(seconds: dict[str, float], steps: int) -> int:
    """The student's steps, times its seconds (the teacher's pass included) over the control's."""
    with_teacher = seconds["teacher_pass"] + seconds["student"]
    return max(1, round(steps * with_teacher / seconds["control_equal_steps"]))


CONTROL_STEPS: dict[str, Callable[[RunContext], int]] = {
    "control_equal_steps": _equal_steps,
    "control_equal_time": _equal_time,
}


def _teach(context: RunContext, classroom: Classroom) -> TeacherTargets:
    """The teacher's targets for the student's text; what they took is noted."""
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


def _learn(
    context: RunContext,
    classroom: Classroom,
    name: str,
    objective: Objective,
    training: Training,
    targets: TeacherTargets | None = None,
) -> None:
    """Train a student from its start and save it; where it is saved already, do nothing."""
    model = new_student(context, classroom.teacher, classroom.tokenizer, classroom.blocks)
    check_pair(classroom.teacher, model, same_tokens=classroom.pairs is None)
    task = Task(classroom.blocks, classroom.validation, objective, training, targets)
    trained = _train(context, name, model, task)
    run_on_main(lambda: save_model(trained, classroom.tokenizer, context.folder / name))


def _train(context: RunContext, name: str, model: nn.Module, task: Task) -> nn.Module:
    """Train the model, note what it took, and return it whole."""
    recipe, training = context.recipe, task.training
    phase = Phase(name, context.folder, recipe_fingerprint(recipe), recipe.seed)
    if recipe.compile:
        compile_layers(model)
    end = train(model, task, phase, context.accelerator)
    tokens = training.steps * training.batch * recipe.data.block
    _record_seconds(context, name, end.seconds, steps=training.steps, training_tokens=tokens)
    return gather_model(model)


def _record_seconds(context: RunContext, phase: str, seconds: float, **training: int) -> None:
    run_on_main(lambda: record_seconds(context.folder, phase, seconds, **training))
