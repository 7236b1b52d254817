"""How much a block, or a neuron of its MLP, does: what is measured before anything is cut out.

Sources: Men et al. 2024, ShortGPT (block influence); Muralidharan et al. 2024, Minitron (neurons by
activation).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdlib.models.transformer_blocks import down_projections, transformer_blocks, watch

# Positions left out at the start of a row. Models park attention on the first tokens (Xiao et al.
# 2024, attention sinks): their hidden states are huge and alike, whatever the text.
SINKS = 4


def block_influence(teacher: nn.Module, ids: Tensor) -> list[float]:
    r"""Influence of every block: how far its output points away from its input.

    .. math:: 1 - \mathrm{E}[\cos(x, y)]

    with :math:`x` the block's input and :math:`y` its output at a position. A block near 0 merely
    passes its input on.

    Args:
        teacher: a causal language model of transformers.
        ids: (B, S) token blocks; the mean is over all positions of a row but the first few, of a
            row that is no longer than those over its last.

    Returns:
        One number per block, in [0, 2].

    Source: Men et al. 2024, ShortGPT (equation 1).
    """
    _, blocks = transformer_blocks(teacher)
    influence: list[float] = []

    def record(block: nn.Module, positional: Any, named: Any, output: Any) -> None:
        # Architectures differ: hidden states come by position or by name, alone or in a tuple.
        before = positional[0] if positional else named["hidden_states"]
        after = output if torch.is_tensor(output) else output[0]
        # float32: the influence of a weak block would be lost in a half-precision cosine.
        cosine = F.cosine_similarity(before.float(), after.float(), dim=-1)
        influence.append(1 - cosine[..., min(SINKS, cosine.shape[-1] - 1) :].mean().item())

    watch(teacher, ids, blocks, record)
    return influence


def neuron_size(teacher: nn.Module, ids: Tensor) -> list[Tensor]:
    r"""How much each MLP neuron adds to the hidden states.

    .. math:: \mathrm{E}[|a_i|] \, \Vert w_i \Vert

    with :math:`a_i` the neuron's activation and :math:`w_i` its column in ``down_proj``, the matrix
    that leads back to the hidden states.

    Args:
        teacher: a causal language model of transformers with gated MLPs.
        ids: (B, S) token blocks; the mean is over all their positions.

    Returns:
        For each block a tensor (number of neurons), on the CPU.
    """
    _, blocks = transformer_blocks(teacher)
    sizes: list[Tensor] = []

    def record(down: Any, positional: Any, named: Any, output: Any) -> None:
        # The input of down_proj is the activation; only its mean is kept, not (B, S, neurons).
        activation = positional[0].float().abs().flatten(0, -2).mean(0)
        sizes.append((activation * down.weight.float().norm(dim=0)).cpu())

    watch(teacher, ids, down_projections(blocks), record)
    return sizes
