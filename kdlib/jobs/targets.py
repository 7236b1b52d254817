"""The teacher's targets for a student: exact, live or precomputed; or sparse, from a cache."""

from __future__ import annotations

import copy
import functools
from typing import TYPE_CHECKING

from torch import nn

from kdlib.data.blocks import Blocks
from kdlib.jobs.context import RunContext
from kdlib.jobs.recipe import Recipe
from kdlib.machine.devices import compile_layers
from kdlib.machine.distributed import is_main, run_on_main
from kdlib.machine.sharding import is_sharding, place_module
from kdlib.teachers.base import TeacherTargets
from kdlib.teachers.cache_format import CacheContents, cache_contents, read_manifest
from kdlib.teachers.cache_reader import CachedTargets
from kdlib.teachers.cache_writer import write_cache
from kdlib.teachers.live import LiveTargets, PrecomputedTargets, can_precompute
from kdlib.teachers.spans import SpanLikelihoods
from kdlib.training.run_state import record_targets
from kdlib.training.schedule import Training

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def exact_targets(context: RunContext, teacher: nn.Module, blocks: Blocks) -> TeacherTargets:
    """The teacher's whole distributions.

    They are precomputed, as hidden states, if the student reads its text more than once and they
    fit into memory; else the teacher runs live, in every step.

    Args:
        context: the run.
        teacher: frozen.
        blocks: the student's training text.
    """
    place = functools.partial(place_module, accelerator=context.accelerator)
    precomputed = targets_class(context.recipe, teacher, blocks) is PrecomputedTargets
    reader = _reader(context, teacher)
    if precomputed:
        return PrecomputedTargets(reader, blocks, place, context.accelerator.autocast)
    return LiveTargets(reader, place)


def targets_class(recipe: Recipe, teacher: nn.Module, blocks: Blocks) -> type[TeacherTargets]:
    """Which kind of targets a run will use.

    Args:
        recipe: of the run.
        teacher: a causal language model of transformers.
        blocks: the student's training text.
    """
    if recipe.targets.kind != "exact":
        return CachedTargets
    if recipe.student.cross_tokenizer:
        return SpanLikelihoods
    if _sees_data_twice(recipe.student.training, blocks) and can_precompute(teacher, blocks):
        return PrecomputedTargets
    return LiveTargets


def _sees_data_twice(training: Training, blocks: Blocks) -> bool:
    """Whether the training takes more than one epoch."""
    return training.steps * training.batch > len(blocks)


def _reader(context: RunContext, teacher: nn.Module) -> nn.Module:
    """The teacher for its forward passes: a copy if it will be sharded in place, because students
    may be pruned from the whole one."""
    reader = copy.deepcopy(teacher) if is_sharding(context.accelerator) else teacher
    if context.recipe.compile:
        compile_layers(reader)
    return reader


# --- Sparse targets, from a cache ---------------------------------------------------------------


def wanted_cache(
    recipe: Recipe, teacher: nn.Module, tokenizer: PreTrainedTokenizerFast, blocks: Blocks
) -> CacheContents:
    """What a cache must contain for this recipe.

    Args:
        recipe: its targets and its temperature are used.
        teacher: the model whose targets they are.
        tokenizer: the teacher's.
        blocks: the student's training text.
    """
    targets, temperature = recipe.targets, recipe.objective.temperature
    return cache_contents(
        teacher, tokenizer, blocks, targets.kind, targets.k,
        temperature=temperature, seed=targets.seed,
    )  # fmt: skip


def open_cache(context: RunContext, contents: CacheContents, blocks: Blocks) -> CachedTargets:
    """Open the run's cache.

    Args:
        context: the run.
        contents: what the cache must contain, from `wanted_cache`.
        blocks: the student's training text.

    Raises:
        UserError: for a cache of something else, damaged or incomplete.
    """
    return CachedTargets(context.models.targets, contents, blocks)


def cached_targets(
    context: RunContext, teacher: nn.Module, tokenizer: PreTrainedTokenizerFast, blocks: Blocks
) -> tuple[CachedTargets, float]:
    """Open the recipe's cache, or make one in the run's folder first.

    Args:
        context: the run.
        teacher: frozen.
        tokenizer: the teacher's.
        blocks: the student's training text.

    Returns:
        The targets, and this run's share of the teacher's seconds: those that making the cache
        took, whether or not they were spent in this run. A student with a ready-made cache has had
        its teacher's work, too.

    Raises:
        UserError: for a cache of something else, damaged or incomplete.
    """
    folder, accelerator = context.models.targets, context.accelerator
    contents = wanted_cache(context.recipe, teacher, tokenizer, blocks)
    if not context.recipe.targets.cache:
        run_on_main(lambda: write_cache(folder, contents, teacher, blocks, accelerator.autocast))
    targets = open_cache(context, contents, blocks)
    manifest, training = read_manifest(folder), context.recipe.student.training
    saved = max(0, training.steps * training.batch - len(blocks))
    run_on_main(lambda: record_targets(context.folder, manifest["bytes_per_token"], saved))
    if is_main():
        print(
            f"Targets: {folder}, {manifest['bytes_per_token']} bytes a token; the teacher reads"
            f" each block once and is spared {saved} further readings of one."
        )
    return targets, manifest["seconds"] * blocks.predicted_tokens / manifest["tokens"]
