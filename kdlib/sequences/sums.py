"""Losses of sequences and of their parts: sums and means of token losses (F8)."""

import torch
from torch import Tensor


def sequence_sum(token_losses: Tensor, mask: Tensor | None = None) -> Tensor:
    r"""Loss of a sequence: the sum of its token losses (F8).

    .. math:: \ell(y) = \sum_{t=1}^{L} m_t \, \ell_t

    Args:
        token_losses: (..., L) losses :math:`\ell_t`, in nats.
        mask: (..., L) booleans :math:`m_t`, True where a token counts; None counts all.

    Returns:
        (...) losses, in nats.

    Raises:
        TypeError: if the mask is not boolean.
        ValueError: if its shape differs from that of ``token_losses``.
    """
    if mask is None:
        return token_losses.sum(dim=-1)
    return torch.where(_checked(mask, token_losses), token_losses, 0).sum(dim=-1)


def sequence_mean(token_losses: Tensor, mask: Tensor | None = None) -> Tensor:
    r"""Mean loss per token, comparable between sequences of different lengths (F8).

    .. math:: \frac{1}{n} \sum_{t=1}^{L} m_t \, \ell_t, \qquad n = \sum_{t=1}^{L} m_t

    Args:
        token_losses: (..., L) losses :math:`\ell_t`, in nats.
        mask: (..., L) booleans :math:`m_t`, True where a token counts; None counts all.

    Returns:
        (...) losses, in nats per token.

    Raises:
        TypeError: as `sequence_sum`.
        ValueError: as `sequence_sum`, and for a sequence in which no token counts: it has no mean.
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

    The losses of adjacent sub-sequences add up to the loss of the whole sequence.

    Args:
        token_losses: (..., L) losses, in nats.
        start: first position, counted from 0.
        stop: one past the last position.
        mask: (..., L) booleans over the whole sequence, True where a token counts; None counts all.

    Returns:
        (...) losses, in nats.

    Raises:
        TypeError: as `sequence_sum`.
        ValueError: as `sequence_sum`, and unless 0 <= start < stop <= L.
    """
    length = token_losses.shape[-1]
    if not 0 <= start < stop <= length:
        raise ValueError(
            f"start, stop are {start}, {stop}: 0 <= start < stop <= {length} must hold"
        )
    inside = None if mask is None else _checked(mask, token_losses)[..., start:stop]
    return sequence_sum(token_losses[..., start:stop], inside)


def _checked(mask: Tensor, token_losses: Tensor) -> Tensor:
    """The mask itself, once its type and shape are known to be right."""
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
