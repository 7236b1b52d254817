"""How far a student is from its teacher on what somebody writes."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from kdlib.losses.divergences import entropy
from kdlib.reports.prefixes import divergences, writing
from kdlib.sequences.on_policy import sample_batch


class Written(NamedTuple):
    """Means over what a model has written.

    Attributes:
        forward_kl: KL(P‖Q), nats per token.
        reverse_kl: KL(Q‖P), nats per token.
        entropy: of the teacher there, nats per token.
        repeated, distinct: how the writer writes (see `kdlib.reports.prefixes`).
    """

    forward_kl: float
    reverse_kl: float
    entropy: float
    repeated: float
    distinct: float


@torch.no_grad()
def on_words_of(
    writer: nn.Module,
    student: nn.Module,
    teacher: nn.Module,
    beginnings: Tensor,
    new: int,
    seed: int,
) -> Written:
    """Let a model go on from beginnings, at temperature 1, and compare student and teacher there.

    Args:
        writer: who writes.
        student: who is compared with its teacher.
        teacher: frozen.
        beginnings: (B, P) ids.
        new: tokens that are written.
        seed: of the draws.
    """
    draws = torch.Generator().manual_seed(seed)
    texts = sample_batch(writer, beginnings, new, eos_id=None, generator=draws).ids
    log_p, log_q = (_said(model, texts, new) for model in (teacher, student))
    means = divergences(log_p, log_q, len(texts)).means()
    style = writing(log_q, texts[:, -new:])
    return Written(
        means["forward_kl"], means["reverse_kl"], float(entropy(log_p).mean()),
        style["repeated"], style["distinct"],
    )  # fmt: skip


def _said(model: Any, texts: Tensor, new: int) -> Tensor:
    """Log-probabilities (B * new, V) at the tokens that were written."""
    logits = model.eval()(input_ids=texts).logits[:, -new - 1 : -1]
    log_probs: Tensor = logits.log_softmax(-1).flatten(0, 1)
    return log_probs
