"""Which logits predict which token: the only shift in the project."""

from __future__ import annotations

import torch
from torch import Tensor


def next_token(
    logits: Tensor, ids: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Pair each position's logits with the token that comes next: the only shift in the project.

    logits (..., S, V), ids (..., S), mask (..., S) with 1 for a real token, taken from the
    attention mask (never from `ids == pad`: the pad id may also be the end-of-text id). It is not the
    way to leave out a prompt: a 0 drops a token both as read and as predicted, and with the prompt's
    last token the answer's first one would go. Give the prompt's labels `ignore_index` instead.
    Returns logits (..., S-1, V), labels (..., S-1) and mask (..., S-1), which counts a position
    only where both the token read and the token predicted are real, so padding may stand on
    either side.
    """
    if mask is None:
        mask = torch.ones_like(ids)
    return logits[..., :-1, :], ids[..., 1:], predicting(mask)


def predicting(mask: Tensor) -> Tensor:
    """Which positions predict a real token from a real token: (..., S) -> (..., S-1), boolean."""
    mask = mask.bool()
    return mask[..., :-1] & mask[..., 1:]
