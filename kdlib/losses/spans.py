"""The loss of a student with another tokenizer: how likely both models find the same spans."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from kdlib.losses.alignment import next_token
from kdlib.losses.objectives import Loss, Objective
from kdlib.losses.softmax import log_softmax

NO_SPAN = -1
# Log-likelihoods are clamped to this, so that a student sure of a span has a finite loss: at 0 the
# log of "another span" would be -inf, and so would its slope.
SURE = -1e-6


class SpanTargets(NamedTuple):
    """What the teacher says about the spans of a batch.

    Attributes:
        spans: (B, S) the number of the span that each of the student's tokens belongs to,
            ``NO_SPAN`` if it is in none; the first token of a row is never predicted.
        log_p: (B, K) log-likelihoods of the spans under the teacher, nats; any number where a row
            has fewer than K.
    """

    spans: Tensor
    log_p: Tensor


def span_distillation_loss(
    logits: Tensor, ids: Tensor, counted: Tensor | None, targets: SpanTargets, objective: Objective
) -> Loss:
    r"""Cross-entropy plus the distance of the spans' likelihoods, summed over the batch.

    .. math:: w_\text{label} \, \mathrm{CE} + w_\text{teacher} \, T \sum_\text{spans} D(p, q)

    D is `bernoulli_kl` of the span's likelihoods p and q given the text before it, at the
    objective's temperature T. The factor is T, not :math:`T^2`, and is there only if the objective
    has its :math:`T^2`: the gradient of a likelihood to the power 1/T shrinks with 1/T.

    Args:
        logits: (B, S, V) of the student.
        ids: (B, S) the student's own tokens.
        counted: (B, S - 1) boolean, the positions whose next token counts; None if all do.
        targets: what the teacher says about the spans.
        objective: temperature and the weights of the two terms.

    Returns:
        The sum in nats, and the number of predicted tokens.
    """
    logits, labels, everywhere = next_token(logits, ids)
    counted = everywhere if counted is None else counted.to(ids.device)
    log_q = label_log_likelihoods(logits, labels)
    merged = sum_by_span(log_q, targets.spans, targets.log_p.shape[-1])
    # Rows have different numbers of spans: what stands behind a row's last one is padding.
    used = torch.arange(targets.log_p.shape[-1], device=ids.device) <= targets.spans.amax(
        -1, keepdim=True
    )
    distance = bernoulli_kl(targets.log_p, merged, objective.temperature)[used].sum()
    if objective.scale_by_t_squared:
        distance = distance * objective.temperature
    cross_entropy = -log_q[counted].sum()
    return Loss(
        objective.label_weight * cross_entropy + objective.teacher_weight * distance,
        counted.sum().to(log_q.dtype),
        {"cross_entropy": cross_entropy.detach(), "distillation": distance.detach()},
    )


def bernoulli_kl(log_p: Tensor, log_q: Tensor, temperature: float = 1.0) -> Tensor:
    r"""The KL between two coins, "this span" or "another one", under teacher and student.

    .. math:: p' \log \frac{p'}{q'} + (1 - p') \log \frac{1 - p'}{1 - q'}, \quad
        p' = p^{1/T}, \; q' = q^{1/T}

    Args:
        log_p, log_q: (...) log-likelihoods of a span under teacher and student.
        temperature: the temperature T.

    Returns:
        (...), nats; 0 only where p = q (or both are closer to 1 than ``SURE`` allows).
    """
    log_p, log_q = ((log / temperature).clamp(max=SURE) for log in (log_p, log_q))
    log_not_p, log_not_q = _log_of_rest(log_p), _log_of_rest(log_q)
    return log_p.exp() * (log_p - log_q) + log_not_p.exp() * (log_not_p - log_not_q)


def _log_of_rest(log: Tensor) -> Tensor:
    """log(1 - exp(log)), log < 0."""
    # expm1: near log = 0 the difference 1 - exp(log) has lost its digits.
    return torch.log(-torch.expm1(log))


def label_log_likelihoods(logits: Tensor, labels: Tensor) -> Tensor:
    """The log-likelihood of each label.

    Args:
        logits: (..., V).
        labels: (...) token ids.

    Returns:
        (...), nats.
    """
    return log_softmax(logits).gather(-1, labels.unsqueeze(-1)).squeeze(-1)


def sum_by_span(log_likelihoods: Tensor, spans: Tensor, count: int) -> Tensor:
    """Sum the tokens' log-likelihoods span by span.

    Args:
        log_likelihoods: (B, S-1) of the predicted tokens, nats.
        spans: (B, S) the number of each token's span, or ``NO_SPAN``.
        count: spans per row.

    Returns:
        (B, count), nats; 0 for a span that a row does not have.
    """
    predicted = spans[:, 1:]  # the first token has no prediction
    known = predicted != NO_SPAN
    sums = log_likelihoods.new_zeros(len(spans), count)
    # An index of -1 is illegal: tokens of no span are added to span 0, as zeros.
    return sums.scatter_add(1, predicted.clamp(min=0), log_likelihoods.masked_fill(~known, 0))
