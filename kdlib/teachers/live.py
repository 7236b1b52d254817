"""What a teacher says about a batch: read anew each time, or remembered.

A student that sees its data several times asks the same teacher the same question several times.
The last hidden states are far smaller than the logits (width against vocabulary), and one matrix
product turns them into exactly the same logits: so they are what is kept.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from kdlib.data.blocks import Blocks
from kdlib.losses.fused.loss import HiddenTargets, Targets
from kdlib.losses.spans import SpanTargets
from kdlib.machine.progress import progress_bar
from kdlib.models.heads import ModelWithHead, last_hidden_states, linear_head

# teacher_targets(rows, ids): the targets (B, S, ...) for the blocks of these row numbers
TeacherTargets = Callable[[Tensor, Tensor], Targets | SpanTargets]
# Puts a module where it works: on one device, or in parts on all of them.
Placement = Callable[[nn.Module], nn.Module]

MEMORY_LIMIT_BYTES = 2**30
TOKENS = 1024  # in one pass: more of them leave the cache, and were slower


def stay_in_place(module: nn.Module) -> nn.Module:
    return module


class HiddenStateReader(ModelWithHead):
    """A teacher whose forward pass is its word on a batch: ids (B, S) -> targets (B, S, ...)."""

    @torch.no_grad()
    def forward(self, ids: Tensor) -> Targets:
        head = self.head
        if head is None:
            logits: Tensor = self.model(input_ids=ids).logits
            return logits
        return HiddenTargets(last_hidden_states(self.model, ids), head)


def live_targets(teacher: nn.Module, place: Placement = stay_in_place) -> TeacherTargets:
    """The teacher's forward pass for every batch."""
    reader = place(HiddenStateReader(teacher))
    return lambda rows, ids: reader(ids)


def precompute_hidden_states(
    teacher: nn.Module, blocks: Blocks, place: Placement = stay_in_place
) -> TeacherTargets:
    """One pass over all blocks now; afterwards a batch costs one matrix product.

    Blocks pass in a fixed order, so that a resumed run remembers the same bits. ValueError where
    the teacher's logits are not one product of its hidden states (see `can_remember`).
    """
    reader = HiddenStateReader(teacher)
    if reader.head is None:
        raise ValueError("teacher: its logits are not one product of its hidden states")
    width, device = reader.head.width, next(place(reader).parameters()).device
    kept = torch.empty(*blocks.ids.shape, width, device=device)
    rows = max(1, TOKENS // blocks.ids.shape[1])
    starts = range(0, len(blocks), rows)
    with progress_bar("teacher pass", len(starts)) as progress:
        for start in starts:
            kept[start : start + rows], head = reader(blocks.ids[start : start + rows].to(device))
            progress.update()
    return lambda rows, ids: HiddenTargets(kept[rows.to(device, non_blocking=True)], head)


def can_precompute(teacher: nn.Module, blocks: Blocks) -> bool:
    """Whether the hidden states determine the logits by one product, and fit into memory."""
    head = linear_head(teacher)
    return head is not None and blocks.ids.numel() * head.width * 4 <= MEMORY_LIMIT_BYTES
