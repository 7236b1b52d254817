"""Settings that a model keeps for each of its blocks, when only some of the blocks are kept.

Sliding or full attention, rotary positions or none, dense or sparse: architectures write such
choices as a list with an entry for each block, as a list of the numbers of blocks, as a dictionary
by number, or as a count of the first blocks, under names that differ. Whatever a model computes
from a block's place instead is found by comparing blocks (see `kdlib.models.cutting`).
"""

from __future__ import annotations

import copy
import re
from typing import Any

from kdlib.errors import UserError, first_line

# Names whose lists have nothing to do with blocks, whatever their length.
NOT_OF_BLOCKS = re.compile(r"token|label|architectures|mrope|image|vision|audio")
# Lists of the numbers of blocks, such as mlp_only_layers, full_attn_idxs and attn_layer_indices.
NUMBERS = re.compile(r"layer|idx|ind(ex|ic)|block")
# How many of the first blocks are of another kind.
COUNTS = ("first_k_dense_replace", "num_dense_layers", "n_dense_layers", "moe_layer_start_index")


def keep_blocks(config: Any, kept: list[int]) -> Any:
    """A model's configuration for some of its blocks, as it will be read from a file.

    Args:
        config: a configuration of transformers.
        kept: numbers of the kept blocks, in rising order.

    Returns:
        A new configuration.

    Raises:
        UserError: for settings of blocks that cannot be set apart.
    """
    blocks = config.num_hidden_layers
    settings = {
        name: value if NOT_OF_BLOCKS.search(name) else _of_kept(name, value, blocks, kept)
        for name, value in copy.deepcopy(config.to_dict()).items()
    }
    settings[config.attribute_map.get("num_hidden_layers", "num_hidden_layers")] = len(kept)
    try:
        # Through the form that is saved: a student that cannot be read again is of no use.
        made = type(config).from_dict(settings)
    except Exception as error:  # whatever an architecture's own checks raise
        raise UserError(
            f"student: {type(config).__name__} has settings for all of its {blocks} blocks, not for"
            f" {len(kept)} ({first_line(error)}); use --student new or a model folder"
        ) from error
    made._attn_implementation = config._attn_implementation
    return made


def _of_kept(name: str, value: Any, blocks: int, kept: list[int]) -> Any:
    """A setting, as it is for the kept blocks alone."""
    if name in COUNTS and isinstance(value, int):
        return sum(number < value for number in kept)
    if isinstance(value, list | tuple) and value:
        if _are_numbers(name, value, blocks):
            return [kept.index(number) for number in value if number in kept]
        return [value[number] for number in kept] if len(value) == blocks else value
    if isinstance(value, dict) and value and all(re.fullmatch(r"\d+", str(key)) for key in value):
        by_number = {int(key): part for key, part in value.items()}
        return {place: by_number[n] for place, n in enumerate(kept) if n in by_number}
    return value


def _are_numbers(name: str, value: Any, blocks: int) -> bool:
    """Whether a list names blocks by their numbers; 0 and 1 alone are a switch for each block."""
    whole = all(type(entry) is int and 0 <= entry < blocks for entry in value)
    rising = whole and list(value) == sorted(set(value))
    return bool(NUMBERS.search(name)) and rising and (len(value) != blocks or blocks > 2)
