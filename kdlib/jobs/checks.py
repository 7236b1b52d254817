"""The checks of a recipe against teacher, student, text and ranks, before any folder is touched.

Without them, these mistakes would show after minutes of training, or never.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from kdlib.data.blocks import Blocks
from kdlib.errors import UserError
from kdlib.jobs.context import RunContext, RunModels
from kdlib.jobs.learners import learners
from kdlib.jobs.recipe import Recipe
from kdlib.jobs.recipe_files import differing_fields
from kdlib.jobs.targets import open_cache, wanted_cache
from kdlib.models.folders import load_model, load_tokenizer, load_whole_model
from kdlib.models.frozen import freeze
from kdlib.models.pruning import check_pruning
from kdlib.models.vocabularies import check_same_tokens, surplus_mass, trim_vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

MOST_SURPLUS_MASS = 0.01  # that a teacher may give to slots beyond its tokenizer


def check_run(context: RunContext) -> None:
    """Refuse a run that cannot work.

    Args:
        context: the run, before it has a folder.

    Raises:
        UserError: for a batch too small for the ranks; for a teacher that cannot be loaded, has a
            context too short for the blocks or the tokenizer of another model; for a student that
            cannot learn from it; for a text too short to be cut into blocks; for a cache of other
            targets.
    """
    _check_shares(context)
    if context.recipe.teacher.source != "train":
        _check_teacher(context)


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


def _check_shares(context: RunContext) -> None:
    """Every rank needs at least one block for each of its micro-batches."""
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


def _check_teacher(context: RunContext) -> None:
    """Load the teacher, cut the text with its tokenizer, check the student, open the cache."""
    models, text = context.models, context.text
    folder = models.teacher
    teacher = freeze(load_whole_model(folder))
    tokenizer = load_tokenizer(folder)
    _check_length("teacher", teacher, context)
    if tokenizer.eos_token_id is None:
        raise UserError(f"teacher: the tokenizer in {folder} has no end-of-text token")
    for documents in (text.splits.validation, text.test):
        models.blocks(documents, tokenizer)
    blocks = models.blocks(text.seen, tokenizer)
    _check_slots(teacher, tokenizer, blocks)
    teacher = trim_vocabulary(teacher, tokenizer)
    _check_student(context, teacher, tokenizer)
    if context.recipe.targets.kind != "exact":
        contents = wanted_cache(context.recipe, teacher, tokenizer, blocks)
        if context.recipe.targets.cache:
            open_cache(context, contents, blocks)


def _check_length(name: str, model: nn.Module, context: RunContext) -> None:
    """The recipe's blocks, with the token that they overlap by, must fit the model's context."""
    block = context.recipe.data.block
    longest = getattr(model.config, "max_position_embeddings", None)
    # Beyond it a table of positions ends with an error, but rotary positions go on without a word,
    # where the model has learned nothing: its targets there would only mislead a student.
    if longest is not None and block > longest - 1:
        raise UserError(
            f"data.block: {block} is longer than the {longest - 1} tokens that the {name} reads;"
            f" use {longest - 1} or less"
        )


def _check_slots(teacher: nn.Module, tokenizer: PreTrainedTokenizerFast, blocks: Blocks) -> None:
    """A model gives almost no probability to slots that were no tokens in its training."""
    mass = surplus_mass(teacher, tokenizer, blocks.ids[:1])
    if mass > MOST_SURPLUS_MASS:
        raise UserError(
            f"teacher: it gives {mass:.1%} of its probability to slots beyond its tokenizer;"
            " this tokenizer is not the one that it was trained with"
        )


def _check_student(
    context: RunContext, teacher: nn.Module, tokenizer: PreTrainedTokenizerFast
) -> None:
    """Check that the student exists or can be cut out, and can learn from this teacher."""
    settings = context.recipe.student
    if settings.source == "pruned":
        check_pruning(teacher, settings.pruning)
    elif settings.source != "new":
        folder = context.models.student_source
        students_tokenizer = load_tokenizer(folder)
        if not settings.cross_tokenizer:
            check_same_tokens(tokenizer, students_tokenizer)
        elif students_tokenizer.eos_token_id is None:
            raise UserError(f"student: the tokenizer in {folder} has no end-of-text")
        _check_length("student", load_model(folder), context)
