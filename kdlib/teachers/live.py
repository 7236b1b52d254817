"""Targets from the teacher itself: a forward pass per batch, or hidden states computed once.

A student that sees its data several times needs the same targets several times. The last hidden
states are far smaller than the logits (width against vocabulary), and one matrix product turns them
into exactly the same logits: so the hidden states are what is kept.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from kdlib.data.blocks import Blocks
from kdlib.losses.fused.inputs import HiddenTargets, Targets
from kdlib.machine.progress import progress_bar
from kdlib.models.heads import ModelWithHead, last_hidden_states, linear_head
from kdlib.teachers.base import Autocast, TeacherTargets

# Moves a module to where it runs: to one device, or sharded over all of them.
Placement = Callable[[nn.Module], nn.Module]

MEMORY_LIMIT_BYTES = 2**30
TOKENS = 1024  # in one pass; larger passes overflow the processor's cache, and were slower


def stay_in_place(module: nn.Module) -> nn.Module:
    """The placement that leaves a module where it is."""
    return module


class HiddenStateReader(ModelWithHead):
    """A teacher whose forward pass returns its targets for a batch.

    Args:
        model: the teacher, a causal language model of transformers.

    Attributes:
        model: the teacher.
    """

    @torch.no_grad()
    def forward(self, ids: Tensor) -> Targets:
        """The teacher's targets for a batch, without gradients.

        Args:
            ids: (B, S) token ids.

        Returns:
            Hidden states (B, S, H) with the head; logits (B, S, V) where the teacher has no linear
            head.
        """
        head = self.head
        if head is None:
            logits: Tensor = self.model(input_ids=ids, use_cache=False).logits
            return logits
        return HiddenTargets(last_hidden_states(self.model, ids), head)


class LiveTargets(TeacherTargets):
    """Targets by a forward pass of the teacher for every batch.

    Args:
        teacher: a frozen causal language model of transformers.
        place: moves the teacher to its device, or shards it.
    """

    def __init__(self, teacher: nn.Module, place: Placement = stay_in_place):
        self._reader = place(HiddenStateReader(teacher))

    def __call__(self, rows: Tensor, ids: Tensor, own: Tensor | None = None) -> Targets:
        """The targets of a batch.

        Args:
            rows: not used.
            ids: (B, S) token ids, on the teacher's device.
            own: not used.

        Returns:
            Targets (B, S, ...), as `HiddenStateReader` makes them.
        """
        targets: Targets = self._reader(ids)
        return targets


class PrecomputedTargets(TeacherTargets):
    """Targets from one pass over all blocks at the start; then a batch costs one matrix product.

    Blocks are processed in a fixed order and in groups of a fixed size, so that a resumed run
    computes the same bits: matrix products of other sizes round differently.

    Args:
        teacher: a frozen causal language model of transformers.
        blocks: the blocks that row numbers refer to.
        place: moves the teacher to its device, or shards it.
        autocast: of the passes; give the one of the training steps.

    Raises:
        ValueError: for a teacher whose logits are not one product of its hidden states (see
            `can_precompute`).
    """

    def __init__(
        self,
        teacher: nn.Module,
        blocks: Blocks,
        place: Placement = stay_in_place,
        autocast: Autocast = contextlib.nullcontext,
    ):
        reader = HiddenStateReader(teacher)
        if reader.head is None:
            raise ValueError("teacher: its logits are not one product of its hidden states")
        self._reader = place(reader)
        device = next(self._reader.parameters()).device
        groups = _in_order_of_length(blocks).split(max(1, TOKENS // blocks.ids.shape[1]))
        with progress_bar("teacher pass", len(groups)) as progress:
            for number, rows in enumerate(groups):
                read = blocks.longest(rows)
                with autocast():
                    hidden, self._head = self._reader(blocks.ids[rows, :read].to(device))
                if not number:  # whatever dtype the pass gives is kept
                    self._hidden = hidden.new_zeros(*blocks.ids.shape, hidden.shape[-1])
                self._hidden[rows.to(device), :read] = hidden
                progress.update()

    def __call__(self, rows: Tensor, ids: Tensor, own: Tensor | None = None) -> HiddenTargets:
        """The targets of a batch.

        Args:
            rows: (B,) numbers of the blocks.
            ids: (B, S) their tokens, or what the student wrote; only of the latter are they used.
            own: (B,) boolean: the rows that the student wrote, of which the teacher is asked now.

        Returns:
            Hidden states (B, S, H) and the head.
        """
        hidden = self._hidden[rows.to(self._hidden.device, non_blocking=True), : ids.shape[1]]
        if own is None:
            return HiddenTargets(hidden, self._head)
        places = own.nonzero().squeeze(-1).to(ids.device)
        # A rank without a text of its own reads one all the same: a sharded teacher is run by all.
        read = self._reader(ids[places] if len(places) else ids[:1])
        hidden[places] = read.hidden[: len(places)].to(hidden.dtype)
        return HiddenTargets(hidden, read.head)


def _in_order_of_length(blocks: Blocks) -> Tensor:
    """Row numbers (N,), those of like length together: what stands behind a row is not read."""
    return torch.arange(len(blocks)) if blocks.lengths is None else blocks.lengths.argsort()


def can_precompute(teacher: nn.Module, blocks: Blocks) -> bool:
    """Whether the teacher's logits are one product of its hidden states, and these fit into memory.

    Args:
        teacher: a causal language model of transformers.
        blocks: the blocks whose hidden states would be kept.
    """
    return linear_head(teacher) is not None and hidden_bytes(teacher, blocks) <= MEMORY_LIMIT_BYTES


def hidden_bytes(teacher: nn.Module, blocks: Blocks) -> int:
    """What the teacher's hidden states of all blocks take in memory, in float32 at most.

    Args:
        teacher: a causal language model of transformers.
        blocks: the blocks whose hidden states would be kept.
    """
    model: Any = teacher
    return int(blocks.ids.numel() * model.get_output_embeddings().weight.shape[1] * 4)
