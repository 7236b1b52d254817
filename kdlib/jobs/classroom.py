"""What student and controls share in a run: the teacher, and the text cut into blocks.

To open it is to check it: the teacher is loaded and the text is cut before a run has a folder, so
that what cannot work is refused then, and what was read once is not read again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from torch import nn

from kdlib.data.blocks import Blocks
from kdlib.jobs.checks import (
    check_cache,
    check_end_of_text,
    check_length,
    check_slots,
    check_student,
)
from kdlib.jobs.compute import before_training, operations_of
from kdlib.jobs.context import RunContext
from kdlib.jobs.kept import as_kept
from kdlib.jobs.students import new_student
from kdlib.jobs.targets import cached_targets, exact_targets, targets_class
from kdlib.losses.objectives import Objective
from kdlib.machine.distributed import run_on_main
from kdlib.machine.sharding import is_sharding
from kdlib.models.folders import load_tokenizer, load_whole_model
from kdlib.models.frozen import freeze
from kdlib.models.operations import BlockOperations
from kdlib.models.vocabularies import trim_vocabulary
from kdlib.teachers.base import TeacherTargets
from kdlib.teachers.cache_reader import CachedTargets
from kdlib.teachers.spans import PairedBlocks, SpanLikelihoods
from kdlib.training.rollouts import Rollouts
from kdlib.training.run_state import record_phase
from kdlib.training.schedule import Training
from kdlib.training.task import Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True)
class Classroom:
    """What student and controls share.

    Attributes:
        context: the run.
        teacher: frozen.
        tokenizer: of the student and the controls.
        blocks: the training text, as they read it.
        teachers_blocks: the same text as the teacher reads it; the same blocks, unless the student
            has its own tokenizer.
        validation: the validation text, as they read it.
        pairs: the training text for two tokenizers, if the student has its own; else None.
    """

    context: RunContext
    teacher: nn.Module
    tokenizer: PreTrainedTokenizerFast
    blocks: Blocks
    teachers_blocks: Blocks
    validation: Blocks
    pairs: PairedBlocks | None

    @cached_property
    def targets(self) -> TeacherTargets:
        """The teacher's targets for the training text, made when the first student asks."""
        return _teach(self)

    @cached_property
    def teacher_operations(self) -> BlockOperations:
        """What the teacher takes to read a block of the training text."""
        return operations_of(self.teacher, self.teachers_blocks)

    def new_learner(self, seed: int) -> nn.Module:
        """A student or a control before its first step."""
        return new_student(self.context, self.teacher, self.tokenizer, self.blocks, seed)

    def task(
        self,
        objective: Objective,
        training: Training,
        targets: TeacherTargets | None = None,
        rollouts: Rollouts | None = None,
    ) -> Task:
        """What one of those who learn here is to learn."""
        return Task(self.blocks, self.validation, objective, training, targets, rollouts)


def open_classroom(context: RunContext) -> Classroom:
    """Load the teacher and cut the text into blocks for the student and the controls.

    Args:
        context: the run, whose teacher is finished.

    Raises:
        UserError: for a teacher that cannot be loaded, has a context too short for the blocks or
            the tokenizer of another model; for a student that cannot learn from it; for a text too
            short to be cut into blocks; for a cache of other targets.
    """
    models, text = context.models, context.text
    whole, teachers = load_whole_model(models.teacher), load_tokenizer(models.teacher)
    check_length("teacher", whole, context)
    check_end_of_text("teacher", teachers, models.teacher)
    teachers_blocks = models.teachers_blocks(text.seen, teachers)
    check_slots(whole, teachers, teachers_blocks)
    teacher = freeze(trim_vocabulary(whole, teachers))
    tokenizer, pairs, blocks = teachers, None, teachers_blocks
    check_student(context, teacher, teachers)
    if context.recipe.student.cross_tokenizer:
        tokenizer, pairs = load_tokenizer(models.tokenizer), models.pairs(text.seen)
        blocks, teachers_blocks = pairs.student, pairs.teacher
    models.blocks(text.test, tokenizer)  # refused now if it is too short, not after the training
    validation = models.blocks(text.splits.validation, tokenizer)
    if not is_sharding(context.accelerator):
        teacher = as_kept(teacher, context.recipe.teacher.dtype, context.precision)
        teacher = teacher.to(context.accelerator.device)
    check_cache(context, teacher, tokenizer, blocks)
    return Classroom(context, teacher, tokenizer, blocks, teachers_blocks, validation, pairs)


def _teach(classroom: Classroom) -> TeacherTargets:
    """The teacher's targets for the student's text; records what the teacher's pass took."""
    context, teacher, pairs = classroom.context, classroom.teacher, classroom.pairs
    kind = targets_class(context.recipe, teacher, classroom.blocks)
    started = time.perf_counter()
    targets: TeacherTargets
    if kind is CachedTargets:
        targets, seconds = cached_targets(context, teacher, classroom.tokenizer, classroom.blocks)
    else:
        targets = (
            SpanLikelihoods(teacher, pairs, context.accelerator.autocast)
            if pairs
            else exact_targets(context, teacher, classroom.blocks)
        )
        seconds = time.perf_counter() - started
    read = len(classroom.teachers_blocks)
    operations = before_training(targets, classroom.teacher_operations, read)
    run_on_main(lambda: record_phase(context.folder, "teacher_pass", seconds, operations))
    return targets
