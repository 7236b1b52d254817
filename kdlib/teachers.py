"""What a teacher says about a batch: read anew each time, or remembered.

A student that sees its data several times asks the same teacher the same question several times.
The last hidden states are far smaller than the logits (width against vocabulary), and one matrix
product turns them into exactly the same logits: so they are what is kept.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from kdlib.data import Blocks
from kdlib.heads import last_hidden_states, linear_head
from kdlib.linear import HiddenTargets, Targets
from kdlib.progress import bar

# teacher_targets(rows, ids): the targets (B, S, ...) for the blocks of these row numbers
TeacherTargets = Callable[[Tensor, Tensor], Targets]

MEMORY_LIMIT_BYTES = 2**30
TOKENS = 1024  # in one pass: more of them leave the cache, and were slower


def run_each_time(teacher: nn.Module) -> TeacherTargets:
    """The teacher's forward pass for every batch."""
    head = linear_head(teacher)

    @torch.no_grad()
    def targets(rows: Tensor, ids: Tensor) -> Targets:
        if head is None:
            return teacher(input_ids=ids).logits
        return HiddenTargets(last_hidden_states(teacher, ids), head)

    return targets


def remember(teacher: nn.Module, blocks: Blocks) -> TeacherTargets:
    """One pass over all blocks now; afterwards a batch costs one matrix product.

    Blocks pass in a fixed order, so that a resumed run remembers the same bits. ValueError where the
    teacher's logits are not one product of its hidden states (see `can_remember`).
    """
    head = linear_head(teacher)
    if head is None:
        raise ValueError("teacher: its logits are not one product of its hidden states")
    kept = torch.empty(*blocks.ids.shape, head.width, device=head.weight.device)
    rows = max(1, TOKENS // blocks.ids.shape[1])
    starts = range(0, len(blocks), rows)
    with torch.no_grad(), bar("teacher pass", len(starts)) as progress:
        for start in starts:
            ids = blocks.ids[start : start + rows].to(kept.device)
            kept[start : start + rows] = last_hidden_states(teacher, ids)
            progress.update()
    return lambda rows, ids: HiddenTargets(kept[rows.to(kept.device)], head)


def can_remember(teacher: nn.Module, blocks: Blocks) -> bool:
    """Whether the hidden states determine the logits by one product, and fit into memory."""
    head = linear_head(teacher)
    return head is not None and blocks.ids.numel() * head.width * 4 <= MEMORY_LIMIT_BYTES
