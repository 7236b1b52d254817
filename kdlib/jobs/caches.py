"""Caches of a teacher's targets, made without a run: by the teacher, or from what another engine says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kdlib.errors import UserError
from kdlib.files import atomic_file, disk_errors_named
from kdlib.jobs.checks import check_shares
from kdlib.jobs.classroom import Classroom, open_classroom
from kdlib.jobs.context import open_context
from kdlib.jobs.recipe import Recipe
from kdlib.jobs.targets import wanted_cache
from kdlib.jobs.threads import threads_of
from kdlib.machine.console import show
from kdlib.teachers.cache_format import CacheContents, block_keys
from kdlib.teachers.cache_from_logprobs import (
    distance_from_teacher,
    open_scored_file,
    write_cache_from_logprobs,
)
from kdlib.teachers.cache_writer import write_cache
from kdlib.teachers.left_out import describe


def cache_targets(recipe: Recipe, folder: Path) -> dict[str, Any]:
    """Ask the teacher for sparse targets, for later runs to use.

    Args:
        recipe: its teacher, text and targets are used.
        folder: of the cache. What it holds already is kept and completed.

    Returns:
        The manifest of the cache.

    Raises:
        UserError: as ``kdlib.jobs.pipeline.distill``, and for a folder that holds something else.
    """
    classroom, contents = _open(recipe, folder)
    accelerator = classroom.context.accelerator
    with threads_of(None, accelerator.device):
        return write_cache(
            folder, contents, classroom.teacher, classroom.blocks, accelerator.autocast
        )


def cache_from_logprobs(recipe: Recipe, folder: Path, file: Path) -> dict[str, Any]:
    """Make the cache from log-probabilities that another engine wrote, and say what they leave out.

    The teacher is here all the same: a few blocks show that the file is of no other, and a run's
    report measures it.

    Args:
        recipe: its teacher, text and targets are used.
        folder: of the cache. What it holds already is kept and completed.
        file: JSONL (see `kdlib.teachers.prompt_logprobs`) with all of the recipe's blocks.

    Returns:
        The manifest of the cache.

    Raises:
        UserError: as `cache_targets`; for other targets than those with a tail at temperature 1; for
            a file that cannot be used, that lacks blocks, or that is of another teacher.
    """
    _refuse_other_targets(recipe)
    classroom, contents = _open(recipe, folder)
    blocks, vocabulary = classroom.blocks, _vocabulary(classroom)
    scored = open_scored_file(file, blocks, contents.k, vocabulary)
    distance = distance_from_teacher(scored, classroom.teacher, blocks)
    manifest = write_cache_from_logprobs(folder, contents, scored, blocks, distance)
    others = (
        f" {scored.others} texts that are no block of it were left out." if scored.others else ""
    )
    show(f"Read:    all {len(scored.places)} blocks of the recipe's text, from {file}.{others}")
    show(
        f"Checked: on some blocks the file is {distance:.2g} nats per token from the teacher here"
        " (KL, the tail merged)."
    )
    show("\n".join(describe(scored.left_out, contents.k, vocabulary)))
    return manifest


def write_prompts(recipe: Recipe, file: Path) -> int:
    """Write the recipe's blocks for another engine to score: requests for completions, one a line.

    Args:
        recipe: its teacher's tokenizer, its text and its ``targets.k`` are used.
        file: to write.

    Returns:
        How many lines there are: a block that the text holds twice is written once.

    Raises:
        UserError: as `cache_from_logprobs`, and for a file that cannot be written.
    """
    _refuse_other_targets(recipe)
    classroom, contents = _open(recipe, file)
    rows = {key: row for row, key in reversed([*enumerate(block_keys(classroom.blocks))])}
    with disk_errors_named(file), atomic_file(file) as draft, open(draft, "w") as lines:
        for row in sorted(rows.values()):
            request = {
                "prompt": classroom.blocks.ids[row].tolist(),
                "max_tokens": 1,  # none is not allowed; what is written is not read
                "prompt_logprobs": contents.k,
                "return_token_ids": True,
            }
            lines.write(json.dumps(request) + "\n")
    return len(rows)


def _open(recipe: Recipe, folder: Path) -> tuple[Classroom, CacheContents]:
    """Load the teacher, cut the text, refuse what cannot work; and what the cache must hold."""
    if recipe.teacher.source == "train":
        raise UserError("teacher.source: 'train' has no targets yet; give the folder of a teacher")
    context = open_context(recipe, folder)
    check_shares(context)
    classroom = open_classroom(context)
    contents = wanted_cache(recipe, classroom.teacher, classroom.tokenizer, classroom.blocks)
    return classroom, contents


def _refuse_other_targets(recipe: Recipe) -> None:
    """What the k likeliest log-probabilities cannot give."""
    if recipe.targets.kind != "with_tail":
        raise UserError(
            f"targets.kind: {recipe.targets.kind} is not what log-probabilities of the likeliest"
            " tokens give; use with_tail"
        )
    temperature = recipe.objective.temperature
    if temperature != 1:
        raise UserError(
            f"objective.temperature: {temperature:g} cannot be made from log-probabilities at"
            " temperature 1: it needs every token of the tail, which is one lump in them; use 1"
        )


def _vocabulary(classroom: Classroom) -> int:
    teacher: Any = classroom.teacher
    return int(teacher.config.vocab_size)
