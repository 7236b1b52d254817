r"""What targets of the k likeliest tokens leave out, and how wrong a student's lesson is for it.

The forward KL splits where the tail is merged (the chain rule of relative entropy):

.. math:: KL(P‖Q) = KL(P'‖Q') + t \, KL(P_{tail}‖Q_{tail})

P' and Q' are P and Q with the tail as one token; t is P's mass on the tail; P and Q in the tail are
scaled to sum to 1. The second term is what targets
with a tail lose. It depends on the student and on how P divides the tail, which nobody has kept. Two
bounds need neither.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class LeftOut(NamedTuple):
    """What the targets of a text leave out.

    Attributes:
        mass: mean over the positions of P's mass on the tail.
        worst_mass: the largest.
        gradient: mean bound on the gradient's error, for every student (see `gradient_bound`).
        even_loss: mean bound on the lost loss in nats, for a student that divides the tail evenly
            (see `even_loss_bound`).
    """

    mass: float
    worst_mass: float
    gradient: float
    even_loss: float


def gradient_bound(tail: Tensor) -> Tensor:
    r"""How far the gradient in a student's logits can be from the exact one's, for every student.

    The exact gradient is q - p. With a tail, p is replaced there by :math:`t \, q / q_{tail}`: the
    sum of absolute differences is t times that of two distributions, which is at most 2.

    Args:
        tail: (...) P's mass on the tail.

    Returns:
        (...), a bound on the sum over the vocabulary of absolute differences, at temperature 1.
    """
    return 2 * tail


def even_loss_bound(tail: Tensor, least: Tensor, others: int) -> Tensor:
    r"""What a student loses at most if it divides the tail evenly, as one does that knows nothing of it.

    .. math:: t \, KL(P_{tail}‖U) \le t \log \frac{n \, p_k}{t}

    No token of the tail is likelier than the least likely one that was kept, :math:`p_k`; so each has
    at most the share :math:`p_k / t` of the tail, of which an even share is 1/n.

    Args:
        tail: (...) P's mass on the tail, t.
        least: (...) the least probability that was kept, :math:`p_k`.
        others: tokens in the tail, n.

    Returns:
        (...), nats, at least 0.
    """
    # At least one token holds an even share or more, so a ratio below 1 can only be rounding.
    ratio = (others * least / tail).clamp(min=1)
    return torch.where(tail > 0, tail * ratio.log(), tail)


def left_out(tail: Tensor, least: Tensor, others: int) -> LeftOut:
    """Sum up what is left out of some positions.

    Args:
        tail: (N,) P's mass on the tail of each.
        least: (N,) the least probability that was kept of each.
        others: tokens in the tail.
    """
    return LeftOut(
        tail.mean().item(),
        tail.max().item(),
        gradient_bound(tail).mean().item(),
        even_loss_bound(tail, least, others).mean().item(),
    )


def describe(found: LeftOut, k: int, vocabulary: int) -> list[str]:
    """What a user should know of it, one sentence a line.

    Args:
        found: what is left out.
        k: tokens kept of each distribution.
        vocabulary: the number of tokens.
    """
    return [
        f"Left out: {_percent(found.mass)} of the teacher's probability on average,"
        f" {_percent(found.worst_mass)} at the worst position: it lies on none of the {k} kept tokens"
        f" of {vocabulary:,}, and is taught as one lump, the tail.",
        "Bias:    the loss lacks this mass times the KL within the tail. How much that is depends on"
        " the student and on what no top-k file holds. From the mass alone follow two bounds:",
        f"         for every student, the gradient in its logits is wrong by {found.gradient:.3g} at"
        " most (sum of absolute differences over the vocabulary, mean over positions);",
        f"         for a student that divides the tail evenly, the loss lacks {found.even_loss:.3g}"
        " nats per token at most.",
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
