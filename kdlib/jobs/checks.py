"""The checks of a recipe against teacher, student, text and ranks, before any folder is touched.

Without them, these mistakes would show after minutes of training, or never.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from kdlib.data.blocks import Blocks
from kdlib.errors import UserError
from kdlib.jobs.context import RunContext, RunModels
from kdlib.jobs.learners import learners
from kdlib.jobs.recipe import Recipe
from kdlib.jobs.recipe_files import differing_fields
from kdlib.jobs.targets import open_cache, wanted_cache
from kdlib.models.context_length import context_length
from kdlib.models.folders import load_model, load_tokenizer
from kdlib.models.pruning import check_pruning, pruned_shape
from kdlib.models.vocabularies import check_same_tokens, surplus_mass

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

MOST_SURPLUS_MASS = 0.01  # that a teacher may give to slots beyond its tokenizer


def refuse_unfinished_run(models: RunModels) -> None:
    """Refuse to measure a run some of whose models are still missing.

    Args:
        models: of the run.

    Raises:
        UserError: naming them.
    """
    wanted = [learner.name for learner in learners(models.recipe)]
    missing = [name for name in wanted if not models.has(name)]
    if missing:
        raise UserError(
            f"{models.folder} is not finished: it has no {' and no '.join(missing)} yet; go on with"
            " `kdlib distill --resume`"
        )


def refuse_files_in_place(models: RunModels) -> None:
    """Refuse to train a model for a place where a file lies: it would be lost, or the training.

    Args:
        models: of the run.

    Raises:
        UserError: naming the file.
    """
    for name in ("teacher", *(learner.name for learner in learners(models.recipe))):
        place = models.folder / name
        if place.exists() and not place.is_dir():
            raise UserError(f"resume: {place} is a file, where a model is to be; move it away")


def refuse_another_recipe(wanted: Recipe, saved: Recipe) -> None:
    """Refuse to resume a run with another recipe.

    Args:
        wanted: the recipe of this call.
        saved: the recipe that the run was started with.

    Raises:
        UserError: naming the fields that differ.
    """
    differing = differing_fields(saved, wanted)
    if differing:
        raise UserError(
            f"resume: {', '.join(differing)} is other than in the run; leave it as it was, or start"
            " a new run with another --out"
        )


def check_shares(context: RunContext) -> None:
    """Check that every rank has at least one block for each of its micro-batches.

    Args:
        context: the run.

    Raises:
        UserError: for a batch too small for the ranks.
    """
    ranks, recipe = context.accelerator.num_processes, context.recipe
    trainings = {"student": recipe.student.training}
    if recipe.teacher.source == "train":
        trainings["teacher"] = recipe.teacher.training
    for name, training in trainings.items():
        if training.batch < ranks * training.gradient_accumulation:
            raise UserError(
                f"{name}.training.batch: {training.batch} blocks are too few for {ranks} processes"
                f" with {training.gradient_accumulation} micro-batches each"
            )


def check_length(name: str, model: nn.Module, context: RunContext) -> None:
    """Check that the recipe's blocks, with the token that they overlap by, fit a model's context.

    Args:
        name: "teacher" or "student".
        model: a model of transformers.
        context: the run.

    Raises:
        UserError: for a context that is too short.
    """
    block = context.recipe.data.block
    longest = context_length(model)
    # Beyond it a table of positions ends with an error, but rotary positions go on without a word,
    # where the model has learned nothing: its targets there would only mislead a student.
    if longest is not None and longest <= block:
        raise UserError(
            f"data.block: {block} is longer than the {longest - 1} tokens that the {name} reads;"
            f" use {longest - 1} or less"
        )


def check_end_of_text(name: str, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Check that a tokenizer has a token for the end of a text.

    Args:
        name: "teacher" or "student".
        tokenizer: of this model.
        folder: where it is.

    Raises:
        UserError: for a tokenizer without one.
    """
    if tokenizer.eos_token_id is None:
        raise UserError(f"{name}: the tokenizer in {folder} has no end-of-text token")


def check_slots(teacher: nn.Module, tokenizer: PreTrainedTokenizerFast, blocks: Blocks) -> None:
    """Check that a teacher gives almost no probability to slots beyond its tokenizer.

    It does so if they were no tokens in its training.

    Args:
        teacher: with all its output slots.
        tokenizer: the teacher's.
        blocks: text to read.

    Raises:
        UserError: for a tokenizer that is not the teacher's own.
    """
    mass = surplus_mass(teacher, tokenizer, blocks.ids[:1])
    if mass > MOST_SURPLUS_MASS:
        raise UserError(
            f"teacher: it gives {mass:.1%} of its probability to slots beyond its tokenizer;"
            " this tokenizer is not the one that it was trained with"
        )


def check_student(
    context: RunContext, teacher: nn.Module, tokenizer: PreTrainedTokenizerFast
) -> None:
    """Check that the student exists or can be cut out, and can learn from this teacher.

    Args:
        context: the run.
        teacher: trimmed to its tokenizer.
        tokenizer: the teacher's.

    Raises:
        UserError: naming what is in the way.
    """
    settings = context.recipe.student
    if settings.source == "pruned":
        check_pruning(teacher, settings.pruning)
        settings.lora.check_layers(pruned_shape(teacher, settings.pruning))
    elif settings.source != "new":
        folder = context.models.student_source
        students_tokenizer = load_tokenizer(folder)
        if settings.cross_tokenizer:
            check_end_of_text("student", students_tokenizer, folder)
        else:
            check_same_tokens(tokenizer, students_tokenizer)
        student = load_model(folder)
        check_length("student", student, context)
        settings.lora.check_layers(student)


def check_cache(
    context: RunContext, teacher: nn.Module, tokenizer: PreTrainedTokenizerFast, blocks: Blocks
) -> None:
    """Check that sparse targets can be made or, where the recipe names a cache, that it has them.

    Args:
        context: the run.
        teacher: trimmed to its tokenizer.
        tokenizer: the teacher's.
        blocks: the student's training text.

    Raises:
        UserError: for targets that this vocabulary cannot give, and for a cache of something else,
            damaged or incomplete.
    """
    if context.recipe.targets.kind == "exact":
        return
    contents = wanted_cache(context.recipe, teacher, tokenizer, blocks)
    if context.recipe.targets.cache:
        open_cache(context, contents, blocks)
