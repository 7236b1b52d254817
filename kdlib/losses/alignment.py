"""Which logits predict which token: the only shift in the project."""

from __future__ import annotations

import torch
from torch import Tensor


def next_token(
    logits: Tensor, ids: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Pair each position's logits with the token that comes next.

    The mask is not the way to leave out a prompt: a 0 drops a token both as read and as predicted,
    so masking the prompt's last token also loses the answer's first. Give the prompt's labels
    ``ignore_index`` instead.

    Args:
        logits: (..., S, V).
        ids: (..., S) token ids.
        mask: (..., S), 1 for a real token; None if all are real. Take it from the attention mask,
            never from ``ids == pad``: the pad id may also be the end-of-text id.

    Returns:
        Logits (..., S-1, V), labels (..., S-1) and a boolean mask (..., S-1). The mask counts a
        position only if both the token read and the token predicted are real, so padding may be on
        either side.
    """
    if mask is None:
        mask = torch.ones_like(ids)
    return logits[..., :-1, :], ids[..., 1:], predicting(mask)


def predicting(mask: Tensor) -> Tensor:
    """Which positions predict a real token from a real token.

    Args:
        mask: (..., S), 1 for a real token.

    Returns:
        (..., S-1), boolean.
    """
    mask = mask.bool()
    return mask[..., :-1] & mask[..., 1:]
