"""Where a student starts: from scratch, as a part of its teacher, or as a model of its own.

The controls start from the very same weights, so whatever a student has from its start, they have.
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
from kdlib.models.folders import load_model
from kdlib.models.from_scratch import new_model
from kdlib.models.pruning import Cut, choose_cut, cut_out

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PRUNING = "pruning.json"
PRUNING_TOKENS = 4096  # that a teacher is measured on before it is cut


def new_student(
    context: RunContext, teacher: Any, tokenizer: PreTrainedTokenizerBase, blocks: Blocks
) -> nn.Module:
    """The student, or the control, before its first step. blocks: its training blocks."""
    settings = context.recipe.student
    if settings.source == "pruned":
        return cut_out(teacher, _cut(context, teacher, blocks))
    if settings.source == "new":
        return new_model(
            settings.size,
            teacher.config.vocab_size,
            2 * context.recipe.data.block,
            context.recipe.seed,
            end_of_text=tokenizer.eos_token_id,
        )
    return load_model(context.models.student_source)


def _cut(context: RunContext, teacher: Any, blocks: Blocks) -> Cut:
    """Measured once in a run, and written down: for its controls, and for whoever wants to know."""
    path = context.folder / PRUNING

    def measure() -> None:
        if not path.exists():
            ids = _sample(blocks).to(teacher.device)
            cut = choose_cut(teacher, ids, context.recipe.student.pruning)
            write_atomically(path, json.dumps(cut._asdict()) + "\n")

    run_on_main(measure)
    return Cut(**json.loads(path.read_text()))


def _sample(blocks: Blocks) -> Tensor:
    """Evenly spaced blocks; never the last, which is padded."""
    count = max(1, PRUNING_TOKENS // blocks.ids.shape[1])
    return blocks.ids[torch.linspace(0, len(blocks) - 2, min(count, len(blocks) - 1)).long()]
