"""A student cut out of its teacher: the blocks that do most, with the teacher's own weights.

Which blocks do most is measured: a block whose output is nearly its input can go. Evenly spaced
blocks are a poor choice: the first and the last do far more than those between. Influence ranks
blocks well but cannot settle near ties: SmolLM2's blocks 2 and 5 have much the same influence, yet
one is worth 0.9 nats and the other 0.1. So blocks near the cut-off are tried out. If the MLPs are
narrowed too, they keep the neurons that add most to the hidden states.

Sources: Men et al. 2024, ShortGPT (block influence, equation 1; least influence goes first);
Muralidharan et al. 2024, Minitron (blocks by the loss without them, MLP neurons by activation;
distillation afterwards).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from kdlib.errors import UserError, first_line
from kdlib.losses.divergences import forward_kl
from kdlib.losses.softmax import log_softmax
from kdlib.models.cutting import (
    Cut,
    cannot_be_cut,
    cut_out,
    log_probabilities_without,
    student_config,
)
from kdlib.models.influence import block_influence, neuron_size
from kdlib.models.probe import probe_ids
from kdlib.models.transformer_blocks import down_projections, transformer_blocks

MULTIPLE = 32  # an MLP's width is rounded to this, for the matrix units
NEAR = 4  # ranks on each side of the line between kept and dropped whose blocks are tried out
TRIAL_ROWS = 2  # rows of ids on which they are tried


@dataclass(frozen=True)
class Pruning:
    """How much of its teacher a student keeps when it is cut out of it.

    Raises:
        UserError: for less than one block, or a share outside (0, 1].
    """

    layers: int = 12
    """Transformer blocks kept: those with most influence."""
    mlp_share: float = 1.0
    """Share of each block's MLP neurons kept: those that add most; in (0, 1]."""

    def __post_init__(self) -> None:
        if self.layers < 1:
            raise UserError(f"layers: {self.layers} is too few; use 1 or more")
        if not 0 < self.mlp_share <= 1:
            raise UserError(f"mlp_share: {self.mlp_share} is not in (0, 1]")


def check_pruning(teacher: nn.Module, pruning: Pruning) -> None:
    """Refuse, before anything is measured or written, what cannot be cut out of this teacher.

    Args:
        teacher: a causal language model of transformers.
        pruning: how much to keep.

    Raises:
        UserError: for more blocks than the teacher has, a teacher without a plain list of blocks or
            with blocks that cannot be moved, and, where MLPs are narrowed, MLPs without a
            ``down_proj`` or with matrices that cannot be narrowed.
    """
    _, blocks = transformer_blocks(teacher)
    if pruning.layers > len(blocks):
        raise UserError(
            f"student.pruning.layers: {pruning.layers} is more than the teacher's"
            f" {len(blocks)} blocks"
        )
    model: Any = teacher
    try:
        pruned_shape(teacher, pruning)  # which a look before the run will build
        cut_out(teacher, _last_blocks(teacher, pruning))
        choose_cut(teacher, probe_ids(model.config.vocab_size, model.device), pruning)
    except UserError:
        raise
    except Exception as error:  # whatever an architecture that is built otherwise raises
        raise cannot_be_cut(teacher, first_line(error)) from error


def _last_blocks(teacher: nn.Module, pruning: Pruning) -> Cut:
    """A cut of the right size: which blocks are kept is not known before they are measured, and the
    last ones have the farthest to move."""
    _, blocks = transformer_blocks(teacher)
    neurons = None
    if pruning.mlp_share < 1:
        width = kept_width(down_projections(blocks)[0].in_features, pruning.mlp_share)
        neurons = [list(range(width))] * pruning.layers
    return Cut(list(range(len(blocks)))[-pruning.layers :], neurons, [])


def pruned_shape(teacher: nn.Module, pruning: Pruning) -> nn.Module:
    """A model of the shape that a pruned student will have, without weights ("meta" tensors).

    Args:
        teacher: a model that passes `check_pruning`.
        pruning: how much to keep.
    """
    with torch.device("meta"):
        shape: nn.Module = type(teacher)(student_config(teacher, _last_blocks(teacher, pruning)))
    return shape


@torch.no_grad()
def choose_cut(teacher: nn.Module, ids: Tensor, pruning: Pruning) -> Cut:
    """Measure the teacher and choose what to keep.

    Args:
        teacher: a model that passes `check_pruning`; it is left as it was.
        ids: (B, S) token blocks to measure it on, on its device.
        pruning: how much to keep.
    """
    _, blocks = transformer_blocks(teacher)
    influence = block_influence(teacher, ids)
    strongest = sorted(range(len(blocks)), key=lambda number: -influence[number])
    layers = _settle_near_ties(teacher, ids[:TRIAL_ROWS], strongest, pruning.layers)
    neurons = None
    if pruning.mlp_share < 1:
        size = neuron_size(teacher, ids)
        width = kept_width(len(size[0]), pruning.mlp_share)
        # In the teacher's order, so that a cut that keeps every neuron gives the teacher's bits.
        neurons = [size[number].topk(width).indices.sort().values.tolist() for number in layers]
    return Cut(layers, neurons, influence)


def kept_width(width: int, share: float) -> int:
    """Neurons kept of an MLP: the share, rounded to a multiple of 32, at most the whole width."""
    return min(width, max(MULTIPLE, round(share * width / MULTIPLE) * MULTIPLE))


def _settle_near_ties(teacher: Any, ids: Tensor, strongest: list[int], count: int) -> list[int]:
    """The first `count` blocks of `strongest`, except that those near the line are tried out.

    One after another, the block is dropped without which the model stays closest to the teacher.
    """
    # As many candidates above the line as below it, so exactly `near` of them have to go.
    near = min(NEAR, count, len(strongest) - count)
    kept, candidates = set(strongest[: count + near]), set(strongest[count - near : count + near])
    log_p = log_softmax(teacher(input_ids=ids, use_cache=False).logits)

    def loss_without(number: int) -> float:
        # Together with all that have gone already: what a block is worth depends on the others.
        dropped = set(strongest) - kept | {number}
        return forward_kl(log_p, log_probabilities_without(teacher, ids, dropped)).mean().item()

    for _ in range(near):
        kept.remove(min(candidates & kept, key=loss_without))
    return sorted(kept)
