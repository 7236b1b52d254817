"""Cutting a student out of its teacher, and the proof that it is what it should be.

The student is built as its architecture builds any model, so that it can be saved, loaded and
sharded. Then it must compute what its teacher computes without the blocks and neurons that were
left out: an architecture that gives a block a meaning by its place fails, and is refused.
"""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from kdlib.errors import UserError, first_line
from kdlib.losses.softmax import log_softmax
from kdlib.models.layer_settings import keep_blocks
from kdlib.models.probe import probe_ids
from kdlib.models.transformer_blocks import (
    block_settings,
    down_projections,
    hooks,
    transformer_blocks,
)

# The matrices of a gated MLP, and the dimension of each that counts the neurons.
MLP = {"gate_proj": 0, "up_proj": 0, "down_proj": 1}


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


def cut_out(teacher: nn.Module, cut: Cut) -> nn.Module:
    """A model of the teacher's class with the kept blocks and neurons, on the CPU.

    Its weights are copies, and it generates with the teacher's settings; the teacher is left as it
    was.

    Args:
        teacher: a model that passes `check_pruning`.
        cut: what to keep.

    Raises:
        UserError: for a teacher some of whose blocks cannot be moved to another place, or whose
            MLPs cannot be narrowed.
    """
    path, _ = transformer_blocks(teacher)
    # The initial weights are overwritten, but drawing them would shift the caller's random state.
    with torch.random.fork_rng(devices=[]):
        student: Any = type(teacher)(student_config(teacher, cut))
    _check_blocks(teacher, student, cut)
    source = teacher.state_dict()
    try:
        student.load_state_dict(
            {name: _weight(name, path, source, cut) for name in student.state_dict()}
        )
    except (KeyError, RuntimeError) as error:
        if cut.neurons:
            raise UserError(
                f"student.pruning.mlp_share: the MLPs of a {type(teacher).__name__} have more"
                f" matrices than {', '.join(MLP)}; use --student.pruning.mlp-share 1"
            ) from error
        raise cannot_be_cut(teacher, f"its weights do not fit ({first_line(error)})") from error
    _check_outputs(teacher, student, cut)
    # Where generated text ends, for one: a chat model's own end of turn is not in the config.
    student.generation_config = copy.deepcopy(teacher.generation_config)
    return cast(nn.Module, student)


def student_config(teacher: nn.Module, cut: Cut) -> Any:
    """The teacher's configuration with the settings of the kept blocks alone.

    Args:
        teacher: a causal language model of transformers.
        cut: what to keep.
    """
    config = keep_blocks(teacher.config, cut.layers)
    if cut.neurons:
        config.intermediate_size = len(cut.neurons[0])
    return config


def cannot_be_cut(teacher: nn.Module, why: str) -> UserError:
    """The error for a teacher that nothing can be cut out of.

    Args:
        teacher: the teacher.
        why: what stands against it.
    """
    return UserError(
        f"student: nothing can be cut out of a {type(teacher).__name__}: {why};"
        " use --student new or a model folder"
    )


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


@torch.no_grad()
def _check_outputs(teacher: Any, student: Any, cut: Cut) -> None:
    """Refuse a student that is not its teacher without the rest, on a few tokens."""
    ids = probe_ids(teacher.config.vocab_size)
    dropped = set(range(teacher.config.num_hidden_layers)) - set(cut.layers)
    expected = log_probabilities_without(teacher, ids.to(teacher.device), dropped, cut).cpu()
    was_training = student.training
    try:
        # With its cache of keys and states, as it will generate.
        made = log_softmax(student.eval()(input_ids=ids).logits)
    except Exception as error:  # an architecture that cannot do without one of its kinds of blocks
        raise cannot_be_cut(teacher, f"the student does not run ({first_line(error)})") from error
    student.train(was_training)
    if not torch.allclose(made, expected, rtol=0, atol=1e-3 * float(expected.abs().max())):
        raise cannot_be_cut(teacher, "a block's work depends on the other blocks, or on its place")


def log_probabilities_without(
    teacher: Any, ids: Tensor, dropped: set[int], cut: Cut | None = None
) -> Tensor:
    """What the teacher says with some blocks skipped, and with the neurons silent that a cut drops.

    Args:
        teacher: a causal language model of transformers.
        ids: (B, S) token ids.
        dropped: numbers of the blocks to skip.
        cut: whose neurons are kept; None: all are.

    Returns:
        Log-probabilities (B, S, V).
    """
    _, blocks = transformer_blocks(teacher)

    def skip(block: nn.Module, positional: Any, named: Any, output: Any) -> Any:
        before = positional[0] if positional else named["hidden_states"]
        # A hook's result replaces the output, so no weights are copied for a trial.
        return before if torch.is_tensor(output) else (before, *output[1:])

    with hooks((blocks[number] for number in dropped), skip), _silent_neurons(blocks, cut):
        return log_softmax(teacher(input_ids=ids, use_cache=False).logits)


@contextlib.contextmanager
def _silent_neurons(blocks: nn.ModuleList, cut: Cut | None) -> Iterator[None]:
    """Within this block, MLP neurons that the cut does not keep add nothing."""
    handles = []
    if cut is not None and cut.neurons is not None:
        for number, neurons in zip(cut.layers, cut.neurons, strict=True):

            def silence(down: nn.Module, positional: Any, kept: Any = neurons) -> Any:
                quiet = torch.zeros_like(positional[0])
                quiet[..., kept] = positional[0][..., kept]
                return (quiet,)

            down = down_projections(blocks)[number]
            handles.append(down.register_forward_pre_hook(silence))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


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
