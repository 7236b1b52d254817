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

import copy
import re
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdlib.errors import UserError
from kdlib.losses.divergences import forward_kl
from kdlib.losses.softmax import log_softmax
from kdlib.models.transformer_blocks import (
    block_settings,
    down_projections,
    hooks,
    transformer_blocks,
    watch,
)

MULTIPLE = 32  # an MLP's width is rounded to this, for the matrix units
# Positions left out at the start of a row. Models park attention on the first tokens (Xiao et al.
# 2024, attention sinks): their hidden states are huge and alike, whatever the text.
SINKS = 4
NEAR = 4  # ranks on each side of the line between kept and dropped whose blocks are tried out
TRIAL_ROWS = 2  # rows of ids on which they are tried
# The matrices of a gated MLP, and the dimension of each that counts the neurons.
MLP = {"gate_proj": 0, "up_proj": 0, "down_proj": 1}


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


class Cut(NamedTuple):
    """What a student keeps of its teacher, and why.

    Attributes:
        layers: numbers of the kept blocks, in rising order.
        neurons: for each kept block, the numbers of its kept MLP neurons; None where all are kept.
        influence: of every block of the teacher (see `block_influence`).
    """

    layers: list[int]
    neurons: list[list[int]] | None
    influence: list[float]


def check_pruning(teacher: nn.Module, pruning: Pruning) -> None:
    """Refuse, before anything is computed, what cannot be cut out of this teacher.

    Raises:
        UserError: for more blocks than the teacher has, a teacher without a plain list of blocks or
            with blocks that cannot be moved, and, where MLPs are narrowed, MLPs without a
            ``down_proj``.
    """
    _, blocks = transformer_blocks(teacher)
    if pruning.layers > len(blocks):
        raise UserError(
            f"student.pruning.layers: {pruning.layers} is more than the teacher's"
            f" {len(blocks)} blocks"
        )
    if pruning.mlp_share < 1:
        down_projections(blocks)
    # Which blocks are kept is not known yet; the last ones have the farthest to move.
    last = Cut(list(range(len(blocks)))[-pruning.layers :], None, [])
    with torch.device("meta"):  # shapes without weights
        _check_blocks(teacher, type(teacher)(_config(teacher, last)), last)


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


def _settle_near_ties(teacher: Any, ids: Tensor, strongest: list[int], count: int) -> list[int]:
    """The first `count` blocks of `strongest`, except that those near the line are tried out.

    One after another, the block is dropped without which the model stays closest to the teacher.
    """
    # As many candidates above the line as below it, so exactly `near` of them have to go.
    near = min(NEAR, count, len(strongest) - count)
    kept, candidates = set(strongest[: count + near]), set(strongest[count - near : count + near])
    log_p = log_softmax(teacher(input_ids=ids).logits)

    def loss_without(number: int) -> float:
        # Together with all that have gone already: what a block is worth depends on the others.
        dropped = set(strongest) - kept | {number}
        return forward_kl(log_p, _log_probabilities_without(teacher, ids, dropped)).mean().item()

    for _ in range(near):
        kept.remove(min(candidates & kept, key=loss_without))
    return sorted(kept)


def _log_probabilities_without(teacher: Any, ids: Tensor, dropped: set[int]) -> Tensor:
    """Log-probabilities (B, S, V) of the teacher with the dropped blocks skipped."""
    _, blocks = transformer_blocks(teacher)

    def skip(block: nn.Module, positional: Any, named: Any, output: Any) -> Any:
        before = positional[0] if positional else named["hidden_states"]
        # A hook's result replaces the output, so no weights are copied for a trial.
        return before if torch.is_tensor(output) else (before, *output[1:])

    with hooks((blocks[number] for number in dropped), skip):
        return log_softmax(teacher(input_ids=ids).logits)


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


def cut_out(teacher: nn.Module, cut: Cut) -> nn.Module:
    """A model of the teacher's class with the kept blocks and neurons, on the CPU.

    Its weights are copies, and it generates with the teacher's settings; the teacher is left as it
    was.

    Args:
        teacher: a model that passes `check_pruning`.
        cut: what to keep.

    Raises:
        UserError: for a teacher some of whose blocks cannot be moved to another place.
    """
    path, _ = transformer_blocks(teacher)
    # The initial weights are overwritten, but drawing them would shift the caller's random state.
    with torch.random.fork_rng(devices=[]):
        student: Any = type(teacher)(_config(teacher, cut))
    _check_blocks(teacher, student, cut)
    source = teacher.state_dict()
    student.load_state_dict(
        {name: _weight(name, path, source, cut) for name in student.state_dict()}
    )
    # Where generated text ends, for one: a chat model's own end of turn is not in the config.
    student.generation_config = copy.deepcopy(teacher.generation_config)
    return cast(nn.Module, student)


def _config(teacher: nn.Module, cut: Cut) -> Any:
    """The teacher's configuration with the settings of the kept blocks alone."""
    config: Any = copy.deepcopy(teacher.config)
    count = config.num_hidden_layers
    config.num_hidden_layers = len(cut.layers)
    # Sliding or full attention, rotary positions or none: such lists have an entry for each block,
    # under names that differ from architecture to architecture. A list of tokens is none of them.
    for name, value in list(vars(config).items()):
        if isinstance(value, list | tuple) and len(value) == count and "token" not in name:
            setattr(config, name, [value[number] for number in cut.layers])
    if cut.neurons:
        config.intermediate_size = len(cut.neurons[0])
    return config


def _check_blocks(teacher: nn.Module, student: nn.Module, cut: Cut) -> None:
    """Refuse a block that is not built like the teacher's: its weights would mean something else."""
    (_, theirs), (_, ours) = transformer_blocks(teacher), transformer_blocks(student)
    for number, kept in enumerate(cut.layers):
        there, here = block_settings(theirs[kept]), block_settings(ours[number])
        differing = [key for key in there | here if there.get(key) != here.get(key)]
        if differing:
            raise UserError(
                f"student: block {kept} of the teacher cannot be block {number} of a student,"
                f" because {type(teacher).__name__} sets {', '.join(differing)} by a block's place;"
                " use --student new or a model folder"
            )


def _weight(name: str, path: str, source: dict[str, Tensor], cut: Cut) -> Tensor:
    """The student's weight of this name, taken from the teacher's block that it came from."""
    match = re.match(rf"{re.escape(path)}\.(\d+)\.", name)
    if match is None:
        return source[name]
    number, rest = int(match.group(1)), name[match.end() :]
    weight = source[f"{path}.{cut.layers[number]}.{rest}"]
    neurons = cut.neurons[number] if cut.neurons else None
    parts = rest.split(".")
    dimension = MLP.get(parts[-2]) if parts[0] == "mlp" else None
    # down_proj has one bias per hidden dimension, not per neuron: dimension 1 of a vector.
    if neurons is None or dimension is None or dimension >= weight.ndim:
        return weight
    return weight.index_select(dimension, torch.tensor(neurons, device=weight.device))
