"""A student cut out of its teacher: the blocks that do most, with the teacher's own weights.

Which blocks, is measured: a block whose output is nearly its input can go. Blocks at even distances
are no good choice (the first and the last do far more than those between). Influence ranks well and
cannot settle near ties: of SmolLM2's blocks 2 and 5, alike in influence, one is worth 0.9 nats and
the other 0.1. So those near the line are tried. Where the MLPs are narrowed too, they keep the
neurons that add most to the hidden states.

Sources: Men et al. 2024, ShortGPT (block influence, equation 1; least influence goes first);
Muralidharan et al. 2024, Minitron (blocks by the loss without them, MLP neurons by activation;
distillation afterwards).
"""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdlib.errors import UserError
from kdlib.losses.divergences import forward_kl
from kdlib.losses.softmax import log_softmax

MULTIPLE = 32  # of an MLP's width, for the matrix units
# A model parks attention on the first tokens of a row (Xiao et al. 2024, attention sinks): their
# hidden states are huge and alike, whatever the text.
SINKS = 4
NEAR = 4  # ranks on each side of the line between kept and dropped, within which blocks are tried
TRIAL_ROWS = 2  # of ids, that they are tried on
# The matrices of a gated MLP, and which of their dimensions counts the neurons.
MLP = {"gate_proj": 0, "up_proj": 0, "down_proj": 1}
# (module, positional arguments, named arguments, output) -> None, or another output in its place
Hook = Callable[[nn.Module, Any, Any, Any], Any]


@dataclass(frozen=True)
class Pruning:
    """How much of the teacher a student keeps that is cut out of it."""

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
    """What is kept: the blocks' numbers, each one's neurons (None where all), and why: the
    influence of every block of the teacher."""

    layers: list[int]
    neurons: list[list[int]] | None
    influence: list[float]


def check_pruning(teacher: nn.Module, pruning: Pruning) -> None:
    """Refuse, before anything is computed, what cannot be cut out of this teacher."""
    _, blocks = _blocks(teacher)
    if pruning.layers > len(blocks):
        raise UserError(
            f"student.pruning.layers: {pruning.layers} is more than the teacher's"
            f" {len(blocks)} blocks"
        )
    if pruning.mlp_share < 1:
        _down_projections(blocks)


@torch.no_grad()
def choose_cut(teacher: nn.Module, ids: Tensor, pruning: Pruning) -> Cut:
    """Measure the teacher on token blocks ids (B, S) and choose what to keep."""
    _, blocks = _blocks(teacher)
    influence = block_influence(teacher, ids)
    strongest = sorted(range(len(blocks)), key=lambda number: -influence[number])
    layers = _settle_near_ties(teacher, ids[:TRIAL_ROWS], strongest, pruning.layers)
    neurons = None
    if pruning.mlp_share < 1:
        size = neuron_size(teacher, ids)
        width = kept_width(len(size[0]), pruning.mlp_share)
        neurons = [size[number].topk(width).indices.sort().values.tolist() for number in layers]
    return Cut(layers, neurons, influence)


def kept_width(width: int, share: float) -> int:
    """Neurons kept of an MLP: the share, rounded to a multiple that matrix units like."""
    return min(width, max(MULTIPLE, round(share * width / MULTIPLE) * MULTIPLE))


def block_influence(teacher: nn.Module, ids: Tensor) -> list[float]:
    """1 - E[cos(x, y)] of every block, x its input and y its output at a position: in [0, 2].

    A block near 0 only passes on what it is given. ShortGPT, equation 1, over all positions of
    the rows of ids (B, S) but the first few.
    """
    _, blocks = _blocks(teacher)
    influence: list[float] = []

    def look(block: nn.Module, positional: Any, named: Any, output: Any) -> None:
        before = positional[0] if positional else named["hidden_states"]
        after = output if torch.is_tensor(output) else output[0]
        cosine = F.cosine_similarity(before.float(), after.float(), dim=-1)
        influence.append(1 - cosine[..., SINKS:].mean().item())

    _watch(teacher, ids, blocks, look)
    return influence


def _settle_near_ties(teacher: Any, ids: Tensor, strongest: list[int], count: int) -> list[int]:
    """The `count` first of `strongest`, but near that line blocks go by what they are worth.

    One after the other, that one is dropped without which the model stays nearest to the teacher.
    """
    near = min(NEAR, count, len(strongest) - count)
    kept, candidates = set(strongest[: count + near]), set(strongest[count - near : count + near])
    log_p = log_softmax(teacher(input_ids=ids).logits)

    def loss_without(number: int) -> float:
        dropped = set(strongest) - kept | {number}
        return forward_kl(log_p, _log_probabilities_without(teacher, ids, dropped)).mean().item()

    for _ in range(near):
        kept.remove(min(candidates & kept, key=loss_without))
    return sorted(kept)


def _log_probabilities_without(teacher: Any, ids: Tensor, dropped: set[int]) -> Tensor:
    """(B, S, V), where the dropped blocks hand on what they are given."""
    _, blocks = _blocks(teacher)

    def skip(block: nn.Module, positional: Any, named: Any, output: Any) -> Any:
        before = positional[0] if positional else named["hidden_states"]
        return before if torch.is_tensor(output) else (before, *output[1:])

    with _hooks((blocks[number] for number in dropped), skip):
        return log_softmax(teacher(input_ids=ids).logits)


def neuron_size(teacher: nn.Module, ids: Tensor) -> list[Tensor]:
    """What each MLP neuron adds to the hidden states, per block: E|activation| times the norm of
    its column in the matrix that leads back."""
    _, blocks = _blocks(teacher)
    sizes: list[Tensor] = []

    def look(down: Any, positional: Any, named: Any, output: Any) -> None:
        activation = positional[0].float().abs().flatten(0, -2).mean(0)
        sizes.append((activation * down.weight.float().norm(dim=0)).cpu())

    _watch(teacher, ids, _down_projections(blocks), look)
    return sizes


def cut_out(teacher: nn.Module, cut: Cut) -> nn.Module:
    """A model of the teacher's kind with the kept blocks and neurons; the weights are copies."""
    path, _ = _blocks(teacher)
    config: Any = copy.deepcopy(teacher.config)
    config.num_hidden_layers = len(cut.layers)
    if getattr(config, "layer_types", None):
        config.layer_types = [config.layer_types[number] for number in cut.layers]
    if cut.neurons:
        config.intermediate_size = len(cut.neurons[0])
    with torch.random.fork_rng(devices=[]):  # the initial weights are overwritten
        student = type(teacher)(config)
    source = teacher.state_dict()
    student.load_state_dict(
        {name: _weight(name, path, source, cut) for name in student.state_dict()}
    )
    return student


def _weight(name: str, path: str, source: dict[str, Tensor], cut: Cut) -> Tensor:
    """The student's weight of this name: the teacher's, from the block that this one was there."""
    found = re.match(rf"{re.escape(path)}\.(\d+)\.", name)
    if found is None:
        return source[name]
    number, rest = int(found.group(1)), name[found.end() :]
    weight = source[f"{path}.{cut.layers[number]}.{rest}"]
    neurons = cut.neurons[number] if cut.neurons else None
    parts = rest.split(".")
    dimension = MLP.get(parts[-2]) if parts[0] == "mlp" else None
    if neurons is None or dimension is None or dimension >= weight.ndim:  # the last: a bias
        return weight
    return weight.index_select(dimension, torch.tensor(neurons, device=weight.device))


# --- Looking into a model -----------------------------------------------------------------------


def _blocks(model: nn.Module) -> tuple[str, nn.ModuleList]:
    """The list of transformer blocks and its name in the model."""
    config: Any = model.config
    found = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList)
        and len(module) == config.num_hidden_layers
        and name.count(".") <= 1
    ]
    if len(found) != 1:
        raise UserError(
            f"student: {type(model).__name__} has no plain list of blocks to cut out of;"
            " use --student new or a model folder"
        )
    return found[0]


def _down_projections(blocks: nn.ModuleList) -> list[Any]:
    found = [getattr(getattr(block, "mlp", None), "down_proj", None) for block in blocks]
    if any(not isinstance(down, nn.Linear) for down in found):
        raise UserError(
            "student.pruning.mlp_share: the teacher's MLPs are not gated ones with a down_proj;"
            " use --student.pruning.mlp-share 1"
        )
    return found


def _watch(model: Any, ids: Tensor, modules: Iterable[nn.Module], look: Hook) -> None:
    """One pass over ids, calling look(module, positional, named, output) at each of the modules."""
    with _hooks(modules, look):
        model.base_model(input_ids=ids, use_cache=False)


@contextlib.contextmanager
def _hooks(modules: Iterable[nn.Module], hook: Hook) -> Iterator[None]:
    handles = [module.register_forward_hook(hook, with_kwargs=True) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
