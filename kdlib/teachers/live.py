"""What a teacher says about a batch: read anew each time, or its hidden states computed once.

A student that sees its data several times asks the same teacher the same question several times.
The last hidden states are far smaller than the logits (width against vocabulary), and one matrix
product turns them into exactly the same logits: so they are what is kept.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from kdlib.data.blocks import Blocks
from kdlib.losses.fused.inputs import HiddenTargets, Targets
from kdlib.machine.progress import progress_bar
from kdlib.models.heads import ModelWithHead, last_hidden_states, linear_head
from kdlib.teachers.targets import TeacherTargets

# Puts a module where it works: on one device, or sharded over all of them.
Placement = Callable[[nn.Module], nn.Module]

MEMORY_LIMIT_BYTES = 2**30
TOKENS = 1024  # in one pass: more of them leave the cache, and were slower


def stay_in_place(module: nn.Module) -> nn.Module:
    return module


class HiddenStateReader(ModelWithHead):
    """A teacher whose forward pass is its targets for a batch: ids (B, S) -> targets (B, S, ...)."""

    @torch.no_grad()
    def forward(self, ids: Tensor) -> Targets:
        head = self.head
        if head is None:
            logits: Tensor = self.model(input_ids=ids).logits
            return logits
        return HiddenTargets(last_hidden_states(self.model, ids), head)


class LiveTargets(TeacherTargets):
    """The teacher's forward pass for every batch."""

    def __init__(self, teacher: nn.Module, place: Placement = stay_in_place):
        self._reader = place(HiddenStateReader(teacher))

    def __call__(self, rows: Tensor, ids: Tensor) -> Targets:
        targets: Targets = self._reader(ids)
        return targets


class PrecomputedTargets(TeacherTargets):
    """One pass over all blocks now; afterwards a batch costs one matrix product.

    Blocks pass in a fixed order and in groups of a fixed size, so that a resumed run computes the
    same bits: a matrix product of other sizes rounds otherwise.

    Raises:
        ValueError: where the teacher's logits are not one product of its hidden states (see
            `can_precompute`).
    """

    def __init__(self, teacher: nn.Module, blocks: Blocks, place: Placement = stay_in_place):
        reader = HiddenStateReader(teacher)
        if reader.head is None:
            raise ValueError("teacher: its logits are not one product of its hidden states")
        width, device = reader.head.width, next(place(reader).parameters()).device
        hidden = torch.empty(*blocks.ids.shape, width, device=device)
        size = max(1, TOKENS // blocks.ids.shape[1])
        starts = range(0, len(blocks), size)
        with progress_bar("teacher pass", len(starts)) as progress:
            for start in starts:
                group = slice(start, start + size)
                hidden[group], self._head = reader(blocks.ids[group].to(device))
                progress.update()
        self._hidden = hidden

    def __call__(self, rows: Tensor, ids: Tensor) -> HiddenTargets:
        return HiddenTargets(self._hidden[rows.to(ids.device, non_blocking=True)], self._head)


def can_precompute(teacher: nn.Module, blocks: Blocks) -> bool:
    """Whether the hidden states determine the logits by one product, and fit into memory."""
    head = linear_head(teacher)
    return head is not None and blocks.ids.numel() * head.width * 4 <= MEMORY_LIMIT_BYTES
