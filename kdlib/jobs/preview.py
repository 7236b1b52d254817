"""A look before the run: what was read, what it will take, and whether the teacher knows the text.

A teacher that knows nothing of a text does harm, and a report says so only after the last step.
Whether it knows more than a table of counts can be seen before the first.
"""

from __future__ import annotations

import textwrap
import time
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from kdlib.data.blocks import Blocks
from kdlib.data.document import characters
from kdlib.data.sources import EMBEDDED
from kdlib.jobs.classroom import Classroom
from kdlib.jobs.compute import operations_of
from kdlib.jobs.context import RunContext, RunText
from kdlib.jobs.counting import count_blocks
from kdlib.jobs.expectations import expected_bytes, expected_operations
from kdlib.jobs.learners import learners
from kdlib.jobs.students import student_shape
from kdlib.models.folders import load_tokenizer
from kdlib.models.from_scratch import parameter_count, trainable_count
from kdlib.models.lora import adapters_of
from kdlib.models.lossless import special_tokens_in
from kdlib.models.vocabularies import token_slots
from kdlib.reports.formatting import duration, short, size
from kdlib.reports.scores import score_text

LOOK_TOKENS = 4096  # of the validation text, on which teacher and table are compared
# Narrow matrices, the optimiser and the norms make a training slower than the teacher's reading of
# as many operations: 1.6 times for the recipe "pocket" on two cores.
SLOWEST = 2
NAMED = 3  # special tokens that are named, the most frequent first
WIDTH = 100  # columns, of sentences
MUCH_OVERLAP = 0.1  # of the test's passages; speeches of two centuries share 4 %


class Comparison(NamedTuple):
    """The teacher beside a table of counts, on a little of the validation text.

    Attributes:
        teacher: its cross-entropy, nats per token.
        ngram: that of an n-gram model of the student's training text, in the teacher's tokens.
        tokens: how many were predicted.
        of_lesson: share of the training text that the n-gram model has counted.
        operations_per_second: of the teacher while it read them.
    """

    teacher: float
    ngram: float
    tokens: int
    of_lesson: float
    operations_per_second: float

    @property
    def teacher_knows_more(self) -> bool:
        """Whether the teacher has anything to say that counting does not."""
        return self.teacher < self.ngram


def preview(context: RunContext, classroom: Classroom | None) -> list[str]:
    """Look at a run before its first step.

    Args:
        context: the run.
        classroom: its teacher and its blocks; None where the teacher is yet to be trained.

    Returns:
        Lines to print.
    """
    lines = _text(context.text)
    cautions = [*_of_name(context.recipe.data.name), *_of_overlap(context.text)]
    if classroom is not None:
        student = student_shape(context, classroom.teacher, classroom.tokenizer)
        compared = compare_with_counts(classroom)
        lines += [*_lesson(classroom), *_special_tokens(classroom), *_models(classroom, student)]
        lines += [*_costs(classroom, student, compared), _known(compared)]
        cautions += _of_teacher(compared, bool(context.recipe.data.records))
    return [*lines, *(f"\n{textwrap.fill(f'CAUTION: {each}', WIDTH)}" for each in cautions)]


def _text(text: RunText) -> list[str]:
    """What was read and left out, and how much of the test is no secret."""
    parts = {name: short(characters(part)) for name, part in text.named_splits.items()}
    lines = [
        *text.facts.lines(),
        f"of these characters: training {parts['training']}, of which the student reads"
        f" {parts['student_training']}; validation {parts['validation']}; test {parts['test']}",
        f"{text.overlap.share:.1%} of the test's passages of eight words also occur in the training text",
    ]
    return [f"{'Text' if number == 0 else '':10}{line}" for number, line in enumerate(lines)]


def _of_name(text: str) -> list[str]:
    """A text that comes with the package is read, and not a file or folder of the same name."""
    if text not in EMBEDDED or not Path(text).exists():
        return []
    return [f"'{text}' is read from the package. For the {text} in this folder say ./{text}"]


def _of_overlap(text: RunText) -> list[str]:
    """A test whose text stands in the training measures memory."""
    if text.overlap.share <= MUCH_OVERLAP:
        return []
    name, share = text.overlap.worst[0]
    return [
        f"{text.overlap.share:.0%} of the test's passages stand in the training, word for word"
        f" (of {name} {share:.0%}), so the test measures memory, too. Take copies and templates out"
        " of the text, or name a test of your own (--data.test)."
    ]


def compare_with_counts(classroom: Classroom) -> Comparison:
    """Score the teacher and a table of counts on a little of the validation text.

    Args:
        classroom: teacher and text.
    """
    context, teacher = classroom.context, classroom.teacher
    tokenizer = load_tokenizer(context.models.teacher)
    text = context.models.teachers_blocks(context.text.splits.validation, tokenizer)
    sample = _evenly_spaced(text, LOOK_TOKENS)
    counted = sample.counted().numpy()
    started = time.perf_counter()
    of_teacher = score_text("a first look", teacher, sample, context.accelerator)
    seconds = time.perf_counter() - started
    lesson = classroom.teachers_blocks
    ngram, counted_share = count_blocks(lesson, token_slots(tokenizer))
    return Comparison(
        teacher=float(of_teacher.mean()),
        ngram=float(ngram.nll(sample.ids, sample.mask)[counted].mean()),
        tokens=sample.predicted_tokens,
        of_lesson=counted_share,
        operations_per_second=len(sample) * operations_of(teacher, sample).forward / seconds,
    )


def _evenly_spaced(blocks: Blocks, tokens: int) -> Blocks:
    """A few of the blocks, from all over the text."""
    wanted = min(len(blocks), max(1, tokens // (blocks.ids.shape[1] - 1)))
    rows = torch.linspace(0, len(blocks) - 1, wanted).long()
    return blocks.take(rows)


def _lesson(classroom: Classroom) -> list[str]:
    """What the student reads, and how often."""
    recipe, blocks = classroom.context.recipe, classroom.blocks
    training = recipe.student.training
    epochs = training.steps * training.batch / len(blocks)
    learning = len(learners(recipe))
    return [
        f"Lesson    the student reads {blocks.predicted_tokens:,} tokens in {len(blocks):,} blocks"
        f" of {recipe.data.block}",
        f"Training  {training.steps:,} steps of {training.batch} blocks, {epochs:.3g} times the"
        f" lesson; with its {'SFT' if recipe.data.records else 'controls'} {learning} trainings",
    ]


def _special_tokens(classroom: Classroom) -> list[str]:
    """Text that is read as a special token, which whoever only quotes it does not want."""
    text = classroom.context.text.splits
    found = special_tokens_in(classroom.tokenizer, [*text.training, *text.validation, *text.test])
    named = ", ".join(f"{token} {count:,} times" for token, count in found.most_common(NAMED))
    return [f"Tokens    special tokens stand in the text and are read as such: {named}"] * bool(
        found
    )


def _models(classroom: Classroom, student: nn.Module) -> list[str]:
    """How large teacher and student are."""
    theirs, ours, adapters = parameter_count(classroom.teacher), parameter_count(student), ""
    if adapters_of(student) is not None:
        trained = trainable_count(student)
        ours -= trained  # in the end they are merged
        adapters = f"; {short(trained)} in adapters are what is trained"
    return [
        f"Models    teacher {short(theirs)} parameters, {theirs / ours:.3g} times the student's"
        f" {short(ours)}{adapters}"
    ]


def _costs(classroom: Classroom, student: nn.Module, compared: Comparison) -> list[str]:
    """What the run will take: an estimate, and said to be one."""
    operations = expected_operations(classroom, student)
    fastest = operations / compared.operations_per_second
    return [
        f"Memory    at least {size(expected_bytes(classroom, student))}, and what a step needs",
        f"Time      {duration(fastest)} to {duration(SLOWEST * fastest)} for {short(operations)}"
        f" operations, if the machine stays as fast as now",
    ]


def _known(compared: Comparison) -> str:
    """How much the teacher knows of this text, and how much a table of counts."""
    lesson = "the lesson" if compared.of_lesson == 1 else f"{compared.of_lesson:.0%} of the lesson"
    return (
        f"Teacher   {compared.teacher:.3f} nats per token on {compared.tokens:,} tokens of the"
        f" validation; a table of counts of {lesson} {compared.ngram:.3f}"
    )


def _of_teacher(compared: Comparison, of_records: bool) -> list[str]:
    """A teacher that knows less than a table of counts.

    Two were tried. One was 4.1 nats behind the table: its student ended 3.7 behind the table, and
    3.3 behind the control. The other was 0.05 behind: its student ended 0.07 behind the table, and
    yet 0.01 ahead of the control. So the table is what is named, not the control.
    """
    if compared.teacher_knows_more:
        return []
    train_one = "N" if of_records else "Train a teacher on the text (--teacher train), n"
    return [
        "this teacher knows less of this text than a table that counts three tokens in a row, and"
        f" its student can be expected to lose to that table, too. {train_one}ame one that knows it"
        " (--teacher), or let the labels have their share (--objective.weight)."
    ]
