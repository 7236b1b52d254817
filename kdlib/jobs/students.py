"""Initial weights of the student: from scratch, pruned from the teacher, or a stored model's.

The controls start from exactly the same weights, so they share any advantage of the start.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from kdlib.data.blocks import Blocks
from kdlib.files import write_atomically
from kdlib.jobs.context import RunContext
from kdlib.machine.distributed import run_on_main
from kdlib.models.cutting import Cut, cut_out
from kdlib.models.folders import load_model
from kdlib.models.from_scratch import new_model
from kdlib.models.pruning import choose_cut, pruned_shape

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PRUNING = "pruning.json"
PRUNING_TOKENS = 4096  # that a teacher is measured on before it is pruned


def new_student(
    context: RunContext,
    teacher: Any,
    tokenizer: PreTrainedTokenizerBase,
    blocks: Blocks,
    seed: int,
) -> nn.Module:
    """The student, or a control, before its first step.

    Args:
        context: the run.
        teacher: for a pruned student, and for the vocabulary of a new one.
        tokenizer: of the student.
        blocks: the student's training blocks, on which a teacher is measured before it is pruned.
        seed: of the weights of a new one, or of the adapters; without them, a pruned or stored
            student always starts alike.

    Raises:
        UserError: for a stored student that cannot be loaded.
    """
    settings = context.recipe.student
    if settings.source == "new":
        return _from_scratch(context, teacher, tokenizer, seed)
    stored = (
        cut_out(teacher, _cut(context, teacher, blocks))
        if settings.source == "pruned"
        else load_model(context.models.student_source)
    )
    return settings.lora.put_into(stored, seed)


def student_shape(
    context: RunContext, teacher: Any, tokenizer: PreTrainedTokenizerBase
) -> nn.Module:
    """A model of the student's shape, whose weights do not matter.

    Args:
        context: the run.
        teacher: for a pruned student, and for the vocabulary of a new one.
        tokenizer: of the student.
    """
    settings = context.recipe.student
    if settings.source == "new":
        with torch.device("meta"):  # shapes without weights
            return _from_scratch(context, teacher, tokenizer, seed=0)
    shape = (
        pruned_shape(teacher, settings.pruning)
        if settings.source == "pruned"
        else load_model(context.models.student_source)
    )
    return settings.lora.put_into(shape, seed=0)


def _from_scratch(
    context: RunContext, teacher: Any, tokenizer: PreTrainedTokenizerBase, seed: int
) -> nn.Module:
    """A new model of the recipe's size, for the teacher's vocabulary."""
    return new_model(
        context.recipe.student.size,
        teacher.config.vocab_size,
        context.recipe.data.block + 1,  # a block, and the token that it overlaps by
        seed,
        end_of_text=tokenizer.eos_token_id,
    )


def _cut(context: RunContext, teacher: Any, blocks: Blocks) -> Cut:
    """What to keep of the teacher, measured once per run and written to ``pruning.json``.

    The controls read it from there, so that they are pruned alike.
    """
    path = context.folder / PRUNING

    def measure() -> None:
        if not path.exists():
            ids = _sample(blocks).to(teacher.device)
            cut = choose_cut(teacher, ids, context.recipe.student.pruning)
            write_atomically(path, json.dumps(cut._asdict()) + "\n")

    run_on_main(measure)
    return Cut(**json.loads(path.read_text()))


def _sample(blocks: Blocks) -> Tensor:
    """Ids of evenly spaced blocks, never the last one, which may be padded."""
    count = max(1, PRUNING_TOKENS // blocks.ids.shape[1])
    return blocks.ids[torch.linspace(0, len(blocks) - 2, min(count, len(blocks) - 1)).long()]
