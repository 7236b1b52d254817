"""Where a model's logits come from: its last hidden states and, nearly always, one matrix product.

A loss that knows the product need not store the logits (see `linear`), and a teacher that is asked
twice need only remember its hidden states (see `teachers`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kdlib.linear import Head

PROBE_TOKENS = 8


def last_hidden_states(model: nn.Module, ids: Tensor) -> Tensor:
    """(B, S) -> (B, S, H), after the last norm.

    No attention mask is passed anywhere: blocks are padded on the right only, and a causal model
    never looks right.
    """
    return model.base_model(input_ids=ids, use_cache=False).last_hidden_state


@torch.no_grad()
def linear_head(model: nn.Module) -> Head | None:
    """The head of a causal language model; None where its logits are not the head's.

    Some architectures scale their logits or cap them. So the claim is tried on a few tokens, and
    holds only if every bit agrees.
    """
    if not hasattr(model, "get_output_embeddings"):
        return None  # any module that maps ids to logits may learn, only not by this road
    output = model.get_output_embeddings()
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
