"""Where a batch's teacher logits come from: the teacher run again, or its remembered hidden states.

A student that sees its data several times asks the same teacher the same question several times.
The last hidden states are far smaller than the logits (width against vocabulary), and one matrix
product turns them into exactly the same logits: so they are what is kept.

No attention mask is passed anywhere: blocks are padded on the right only, and a causal model never
looks right.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from kdlib.data import Blocks
from kdlib.progress import bar

# teacher_logits(rows, ids): the teacher's logits (B, S, V) for the blocks of these row numbers
TeacherLogits = Callable[[Tensor, Tensor], Tensor]

MEMORY_LIMIT_BYTES = 2**30
BATCH = 16


def run_each_time(teacher: nn.Module) -> TeacherLogits:
    """The teacher's forward pass for every batch."""

    @torch.no_grad()
    def logits(rows: Tensor, ids: Tensor) -> Tensor:
        return teacher(input_ids=ids).logits

    return logits


def remember(teacher: nn.Module, blocks: Blocks) -> TeacherLogits:
    """One pass over all blocks now; afterwards a batch costs one matrix product.

    Blocks pass in a fixed order, so that a resumed run remembers the same bits.
    """
    head = teacher.get_output_embeddings()
    kept = torch.empty(*blocks.ids.shape, head.weight.shape[1], device=head.weight.device)
    starts = range(0, len(blocks), BATCH)
    with torch.no_grad(), bar("teacher pass", len(starts)) as progress:
        for start in starts:
            ids = blocks.ids[start : start + BATCH].to(kept.device)
            kept[start : start + BATCH] = teacher.base_model(input_ids=ids).last_hidden_state
            progress.update()

    @torch.no_grad()
    def logits(rows: Tensor, ids: Tensor) -> Tensor:
        return head(kept[rows.to(kept.device)])

    return logits


@torch.no_grad()
def can_remember(teacher: nn.Module, blocks: Blocks) -> bool:
    """Whether the hidden states fit and one matrix product really gives this model's logits
    (some architectures scale or cap them afterwards)."""
    head = teacher.get_output_embeddings()
    if head is None or blocks.ids.numel() * head.weight.shape[1] * 4 > MEMORY_LIMIT_BYTES:
        return False
    ids = blocks.ids[:1, :8].to(head.weight.device)
    hidden = teacher.base_model(input_ids=ids).last_hidden_state
    return hidden.shape[-1] == head.weight.shape[1] and torch.equal(
        head(hidden), teacher(input_ids=ids).logits
    )
