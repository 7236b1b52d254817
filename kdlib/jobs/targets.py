"""Which targets a student trains from: the teacher live, its hidden states, a cache, or spans."""

from __future__ import annotations

import copy
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from kdlib.data.blocks import Blocks
from kdlib.jobs.context import RunContext
from kdlib.jobs.recipe import Recipe
from kdlib.machine.devices import compile_layers
from kdlib.machine.distributed import is_main, run_on_main
from kdlib.machine.sharding import is_sharding, place_module
from kdlib.models.folders import load_model, load_tokenizer
from kdlib.models.frozen import freeze
from kdlib.teachers.cache_format import CacheContents, cache_contents, read_manifest
from kdlib.teachers.cache_reader import CachedTargets
from kdlib.teachers.cache_writer import write_cache
from kdlib.teachers.live import LiveTargets, PrecomputedTargets, can_precompute
from kdlib.teachers.targets import TeacherTargets
from kdlib.training.run_folder import record_targets
from kdlib.training.schedule import Training

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def exact_targets(context: RunContext, teacher: nn.Module, blocks: Blocks) -> TeacherTargets:
    """The teacher's whole distributions: computed once where the student sees its text more than
    once and there is room, else live."""
    place = functools.partial(place_module, accelerator=context.accelerator)
    reader = _reader(context, teacher)
    if _sees_data_twice(context.recipe.student.training, blocks) and can_precompute(reader, blocks):
        return PrecomputedTargets(reader, blocks, place)
    return LiveTargets(reader, place)


def _sees_data_twice(training: Training, blocks: Blocks) -> bool:
    return training.steps * training.batch > len(blocks)


def _reader(context: RunContext, teacher: nn.Module) -> nn.Module:
    """The teacher as it is read; a copy where it will be sharded, for students may be cut out of
    the whole one."""
    reader = copy.deepcopy(teacher) if is_sharding(context.accelerator) else teacher
    if context.recipe.compile:
        compile_layers(reader)
    return reader


# --- Sparse targets, from a cache ---------------------------------------------------------------


def make_cache(context: RunContext, folder: Path) -> dict[str, Any]:
    """Make the cache of the run's sparse targets in `folder`, and return its manifest."""
    models, text = context.models, context.text
    tokenizer = load_tokenizer(models.teacher)
    teacher = freeze(load_model(models.teacher)).to(context.accelerator.device)
    blocks = models.blocks(text.seen, tokenizer)
    contents = wanted_cache(context.recipe, teacher, tokenizer, blocks)
    return write_cache(folder, contents, teacher, blocks, context.accelerator.autocast)


def wanted_cache(
    recipe: Recipe, teacher: nn.Module, tokenizer: PreTrainedTokenizerFast, blocks: Blocks
) -> CacheContents:
    """What a cache must hold to serve this recipe."""
    targets, temperature = recipe.targets, recipe.objective.temperature
    return cache_contents(
        teacher, tokenizer, blocks, targets.kind, targets.k, temperature, targets.seed
    )


def open_cache(context: RunContext, contents: CacheContents, blocks: Blocks) -> CachedTargets:
    """The run's cache; UserError where it is of something else, damaged or not complete."""
    return CachedTargets(context.models.targets, contents, blocks)


def cached_targets(
    context: RunContext, teacher: nn.Module, tokenizer: PreTrainedTokenizerFast, blocks: Blocks
) -> tuple[CachedTargets, float]:
    """Make the cache unless it was given, and open it.

    Returns:
        The targets, and the seconds of the teacher's work that are this run's: those of the cache's
        makers, so that the control of equal time gets its share of them whether or not they were
        spent today.
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
