"""The loss of a student with another tokenizer: how likely both find the same spans of text."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from kdlib.losses.alignment import next_token
from kdlib.losses.objectives import Loss, Objective
from kdlib.losses.softmax import log_softmax

NO_SPAN = -1
# The log of a likelihood is held below this: a student sure of a span has a finite loss.
SURE = -1e-6


class SpanTargets(NamedTuple):
    """What the teacher says about the spans of a batch.

    spans (B, S): the number of the span that each token of the student belongs to, NO_SPAN where
    it is in none; the first token of a row is never predicted. log_p (B, K): the spans'
    log-likelihoods under the teacher, nats; any number where a row has fewer than K.
    """

    spans: Tensor
    log_p: Tensor


def span_distillation_loss(
    logits: Tensor, ids: Tensor, mask: Tensor | None, targets: SpanTargets, objective: Objective
) -> Loss:
    """label_weight * CE + teacher_weight * D, summed over the batch; count is its predicted tokens.

    logits (B, S, V) of the student for its own ids (B, S); mask (B, S) or None. D as in the
    module's docstring at the objective's temperature T, times T where the objective carries T
    squared: the gradient of a likelihood to the power 1/T shrinks with 1/T.
    """
    logits, labels, counted = next_token(logits, ids, None if mask is None else mask.to(ids.device))
    log_q = label_log_likelihoods(logits, labels)
    merged = sum_by_span(log_q, targets.spans, targets.log_p.shape[-1])
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
    """KL between 'this span' and 'another one' under both, from the logs of the span's likelihoods
    p and q, each raised to the power 1 / temperature. Nats, 0 only where p = q."""
    log_p, log_q = ((log / temperature).clamp(max=SURE) for log in (log_p, log_q))
    log_not_p, log_not_q = _log_of_rest(log_p), _log_of_rest(log_q)
    return log_p.exp() * (log_p - log_q) + log_not_p.exp() * (log_not_p - log_not_q)


def _log_of_rest(log: Tensor) -> Tensor:
    """log(1 - exp(log)), log < 0."""
    return torch.log(-torch.expm1(log))


def label_log_likelihoods(logits: Tensor, labels: Tensor) -> Tensor:
    return log_softmax(logits).gather(-1, labels.unsqueeze(-1)).squeeze(-1)


def sum_by_span(log_likelihoods: Tensor, spans: Tensor, count: int) -> Tensor:
    """Sum the tokens' log-likelihoods (B, S - 1) span by span: (B, count). spans (B, S)."""
    predicted = spans[:, 1:]
    known = predicted != NO_SPAN
    sums = log_likelihoods.new_zeros(len(spans), count)
    return sums.scatter_add(1, predicted.clamp(min=0), log_likelihoods.masked_fill(~known, 0))
