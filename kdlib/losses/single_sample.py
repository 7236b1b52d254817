r"""The reverse KL from the token that was drawn alone: a policy gradient with a reward per token.

Where the student has drawn :math:`y \sim Q` itself, one number of each model estimates the
divergence, and the gradient, without its whole distribution:

.. math:: r = \log p_y - \log q_y, \qquad \mathbb{E}[-r] = \mathrm{KL}(Q \| P), \qquad
    \mathbb{E}[-r \, \nabla \log q_y] = \nabla \mathrm{KL}(Q \| P)

The second holds because :math:`\mathbb{E}[\nabla \log q_y] = \nabla \sum_v q_v = 0`. It is right on
average, and noisy: where the whole distributions are at hand, the divergence itself is the better
bargain. It needs only the teacher's probability of one token, which any engine gives.

Source: Williams 1992 (REINFORCE); Gu et al. 2024 (MiniLLM), its single-step part.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kdlib.losses.distillation import distillation_loss
from kdlib.losses.fused.inputs import HiddenTargets
from kdlib.losses.fused.loss import fused_distillation_loss
from kdlib.losses.objectives import Loss, Objective
from kdlib.losses.softmax import log_softmax

CHUNK = 2**24  # logits that are made at once
LABELS = Objective.from_lambda(0.0)

# A model's word about some positions: its logits (N, V), or the hidden states that they come from.
Given = Tensor | HiddenTargets


def single_sample_loss(student: Given, teacher: Given, drawn: Tensor, weight: float = 1.0) -> Loss:
    """The estimate of KL(Q‖P), summed over positions, with the gradient of a policy.

    Args:
        student: of N positions; it gets a gradient.
        teacher: of the same positions.
        drawn: (N,) the tokens that the student drew there, at temperature 1.
        weight: of the loss, at least 0.

    Returns:
        The sum in nats, which may be negative, and N. The part "distillation" is the sum without
        the weight, "cross_entropy" that of -log q at the drawn tokens.
    """
    with torch.no_grad():
        log_q, log_p = _at(student, drawn), _at(teacher, drawn)
    reward = (log_p - log_q).to(log_q.dtype)
    # A weighted cross-entropy has the gradient, the rewards have the value.
    policy = _cross_entropy(student, drawn, reward).total
    value = -reward.sum()
    total = weight * (policy + (value - policy).detach())
    parts = {"cross_entropy": -log_q.sum(), "distillation": value}
    return Loss(total, total.new_full((), len(drawn)), parts)


def _cross_entropy(given: Given, tokens: Tensor, weights: Tensor) -> Loss:
    if isinstance(given, HiddenTargets):
        return fused_distillation_loss(
            given.hidden, given.head, None, tokens,
            objective=LABELS, token_weights=weights, ignore_index=None,
        )  # fmt: skip
    return distillation_loss(
        given, None, tokens, objective=LABELS, token_weights=weights, ignore_index=None
    )


def _at(given: Given, tokens: Tensor) -> Tensor:
    """The log-probabilities (N,) of some tokens, from a few logits at a time."""
    if isinstance(given, Tensor):
        return log_softmax(given).gather(-1, tokens[:, None])[:, 0]
    rows = max(1, CHUNK // len(given.head.weight))
    parts = zip(given.hidden.split(rows), tokens.split(rows), strict=True)
    found = [_at(HiddenTargets(hidden, given.head).logits(), part) for hidden, part in parts]
    return torch.cat(found) if found else given.hidden.new_zeros(0)
