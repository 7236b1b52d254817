"""Where a model's logits come from: its last hidden states and, nearly always, one matrix product.

A loss that knows the product need not store the logits (see `linear`), and a teacher that is asked
twice need only remember its hidden states (see `teachers`).
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from kdlib.losses.fused.inputs import Head

PROBE_TOKENS = 8


def last_hidden_states(model: nn.Module, ids: Tensor) -> Tensor:
    """(B, S) -> (B, S, H), after the last norm.

    No attention mask is passed anywhere: blocks are padded on the right only, and a causal model
    never looks right.
    """
    base: Any = model.base_model  # of transformers: torch knows it as a module or a tensor
    with _one_text_a_row():
        hidden: Tensor = base(input_ids=ids, use_cache=False).last_hidden_state
    return hidden


@contextlib.contextmanager
def _one_text_a_row() -> Iterator[None]:
    """Without a mask, transformers looks into the positions for several texts packed into a row:
    one look in each pass, for which a GPU has to be waited for. Blocks are never packed."""
    masking: Any = sys.modules.get("transformers.masking_utils")
    look = getattr(masking, "find_packed_sequence_indices", None)
    if look is None:
        yield
        return
    masking.find_packed_sequence_indices = lambda position_ids: None
    try:
        yield
    finally:
        masking.find_packed_sequence_indices = look


@torch.no_grad()
def linear_head(model: nn.Module) -> Head | None:
    """The head of a causal language model; None where its logits are not the head's.

    Some architectures scale their logits or cap them. So the claim is tried on a few tokens, and
    holds only if every bit agrees.
    """
    output_of: Any = getattr(model, "get_output_embeddings", None)
    if output_of is None:
        return None  # any module that maps ids to logits may learn, only not by this road
    output = output_of()
    if output is None:
        return None
    was_training = model.training
    model.eval()
    ids = torch.arange(min(PROBE_TOKENS, len(output.weight)), device=output.weight.device)[None]
    hidden = last_hidden_states(model, ids)
    fits = hidden.shape[-1] == output.weight.shape[1]
    same = fits and torch.equal(output(hidden), model(input_ids=ids).logits)
    model.train(was_training)
    return Head(output.weight, output.bias) if same else None


class ModelWithHead(nn.Module):
    """A causal language model with its last step apart, for what learns and for what is read."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model
        head = linear_head(model)
        self._head = None if head is None else replace(head, weight=None, bias=None)  # type: ignore[arg-type]  # put in for each pass
        # Accelerate asks the outermost module which parts it shards one by one.
        self._no_split_modules = getattr(model, "_no_split_modules", None)

    @property
    def head(self) -> Head | None:
        """See `linear_head`. With the weights of this moment: where a model is sharded, whole ones
        are put in place for each pass."""
        if self._head is None:
            return None
        model: Any = self.model
        output = model.get_output_embeddings()
        return replace(self._head, weight=output.weight, bias=output.bias)
