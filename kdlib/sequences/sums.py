"""Losses of sequences and parts of them: sums and means over tokens (F8)."""

import torch
from torch import Tensor


def sequence_sum(token_losses: Tensor, mask: Tensor | None = None) -> Tensor:
    """Loss of a sequence, the sum of its token losses under the mask: (..., L) -> (...) (F8).

    Raises: TypeError when the mask is not boolean; ValueError when its shape differs.
    """
    if mask is None:
        return token_losses.sum(dim=-1)
    return torch.where(_checked(mask, token_losses), token_losses, 0).sum(dim=-1)


def sequence_mean(token_losses: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean loss per token, sum / length, (..., L) -> (...): comparable between lengths (F8).

    Raises: as `sequence_sum`; ValueError for a sequence without a single token, which has no mean.
    """
    counted = torch.ones_like(token_losses) if mask is None else _checked(mask, token_losses)
    count = counted.sum(dim=-1)
    if (count == 0).any():
        raise ValueError(
            "mask counts no token in at least one sequence: drop that row, it has no mean loss"
        )
    return sequence_sum(token_losses, mask) / count


def subsequence_sum(
    token_losses: Tensor, start: int, stop: int, mask: Tensor | None = None
) -> Tensor:
    """Loss of positions start..stop-1 within their sequence, given what precedes them (F8).

    The sums of neighbouring sub-sequences add up to the sequence's. (..., L) -> (...), in nats.

    Raises: as `sequence_sum`; ValueError unless 0 <= start < stop <= L.
    """
    length = token_losses.shape[-1]
    if not 0 <= start < stop <= length:
        raise ValueError(
            f"start, stop are {start}, {stop}: 0 <= start < stop <= {length} must hold"
        )
    inside = None if mask is None else _checked(mask, token_losses)[..., start:stop]
    return sequence_sum(token_losses[..., start:stop], inside)


def _checked(mask: Tensor, token_losses: Tensor) -> Tensor:
    if mask.dtype != torch.bool:
        raise TypeError(
            f"mask has type {mask.dtype}: pass booleans, True where a token counts (mask.bool())"
        )
    if mask.shape != token_losses.shape:
        raise ValueError(
            f"mask has shape {tuple(mask.shape)}, token_losses "
            f"{tuple(token_losses.shape)}: they must agree"
        )
    return mask
