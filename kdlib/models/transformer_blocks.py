"""A model's transformer blocks: where they are, what goes through them, and what sets them apart."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from torch import Tensor, nn

from kdlib.errors import UserError
from kdlib.models.narrow import wide_class

# (module, positional arguments, named arguments, output) -> None, or another output in its place
Hook = Callable[[nn.Module, Any, Any, Any], Any]
# A block's place among the others, widths that pruning changes, and the mode of the moment.
NO_SETTINGS = {"layer_idx", "intermediate_size", "in_features", "out_features", "training"}


def transformer_blocks(model: nn.Module) -> tuple[str, nn.ModuleList]:
    """The list of transformer blocks, preceded by its name in the model.

    Args:
        model: a causal language model of transformers.

    Raises:
        UserError: for a model without a plain list of blocks.
    """
    config: Any = model.config
    # By length, not by name: "model.layers" in Llama is "transformer.h" in GPT-2. Deeper lists,
    # such as the experts within a block, may happen to have the same length.
    candidates = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList)
        and len(module) == config.num_hidden_layers
        and name.count(".") <= 1
    ]
    if len(candidates) != 1:
        raise UserError(
            f"student: {type(model).__name__} has no plain list of blocks to cut out of;"
            " use --student new or a model folder"
        )
    return candidates[0]


def down_projections(blocks: nn.ModuleList) -> list[Any]:
    """The matrix of each block's gated MLP that leads back to the hidden states.

    Raises:
        UserError: for blocks without one.
    """
    projections = [getattr(getattr(block, "mlp", None), "down_proj", None) for block in blocks]
    if any(not isinstance(down, nn.Linear) for down in projections):
        raise UserError(
            "student.pruning.mlp_share: the teacher's MLPs are not gated ones with a down_proj;"
            " use --student.pruning.mlp-share 1"
        )
    return projections


def block_settings(block: nn.Module) -> dict[str, object]:
    """What a block was told about itself when it was built: kinds of modules, flags and numbers.

    Two blocks with equal settings and equal weights compute the same. A block's place among the
    others and the widths of its matrices are left out.

    Args:
        block: a transformer block.

    Returns:
        Settings by their names in the block, such as "self_attn.use_rope".
    """
    settings: dict[str, object] = {}
    for name, module in block.named_modules():
        settings[name] = wide_class(module).__name__
        for key, value in vars(module).items():
            plain = value is None or isinstance(value, int | float | str | tuple)
            if plain and key not in NO_SETTINGS and not key.startswith("_"):
                settings[f"{name}.{key}".removeprefix(".")] = value
    return settings


def watch(model: Any, ids: Tensor, modules: Iterable[nn.Module], hook: Hook) -> None:
    """One pass over ids, calling hook(module, positional, named, output) at each of the modules."""
    with hooks(modules, hook):
        # The base alone: logits (B, S, V) would take far more memory, and nothing here needs them.
        model.base_model(input_ids=ids, use_cache=False)


@contextlib.contextmanager
def hooks(modules: Iterable[nn.Module], hook: Hook) -> Iterator[None]:
    """Within this block, call hook after each of the modules; its result replaces the output."""
    handles = [module.register_forward_hook(hook, with_kwargs=True) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
