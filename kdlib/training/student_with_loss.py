"""A model with its loss inside its forward pass.

What wraps a module to train it on many processes or in mixed precision hooks into `forward`: a loss
that is computed there, from hidden states, is seen by the wrapper like any other output.
"""

from __future__ import annotations

from torch import Tensor

from kdlib.losses.alignment import next_token, predicting
from kdlib.losses.distillation import distillation_loss
from kdlib.losses.fused.inputs import HiddenTargets, Targets
from kdlib.losses.fused.loss import fused_distillation_loss
from kdlib.losses.objectives import Loss, Objective
from kdlib.losses.spans import SpanTargets, span_distillation_loss
from kdlib.losses.sparse import SparseTargets
from kdlib.models.heads import ModelWithHead, last_hidden_states


class StudentWithLoss(ModelWithHead):
    """forward(ids, mask, objective, targets) -> Loss over the next tokens of a batch.

    ids (B, S); mask (B, S), or None where all tokens are real: best left on the CPU, since a GPU
    has to be waited for before its mask can be counted; targets: the teacher's hidden states or
    logits at the same (B, S), or None; or what it says about the spans of a student with another
    tokenizer.
    """

    def forward(
        self,
        ids: Tensor,
        mask: Tensor | None,
        objective: Objective,
        targets: Targets | SpanTargets | None = None,
    ) -> Loss:
        if isinstance(targets, SpanTargets):
            logits = self.model(input_ids=ids).logits
            return span_distillation_loss(logits, ids, mask, targets, objective)
        counted = None if mask is None else predicting(mask)
        head = self.head
        if head is None:
            logits, labels, _ = next_token(self.model(input_ids=ids).logits, ids)
            target = None if targets is None else next_token(_logits(targets), ids)[0]
            counted = None if counted is None else counted.to(ids.device, non_blocking=True)
            return distillation_loss(
                logits, target, labels, counted, objective=objective, ignore_index=None
            )
        hidden, labels, _ = next_token(last_hidden_states(self.model, ids), ids)
        return fused_distillation_loss(
            hidden, head, _aligned(targets, ids), labels, counted,
            objective=objective, ignore_index=None,
        )  # fmt: skip


def _aligned(targets: Targets | None, ids: Tensor) -> Targets | None:
    """Of the positions that predict. Sparse targets are made for these alone."""
    if isinstance(targets, SparseTargets):
        return targets
    if isinstance(targets, HiddenTargets):
        return targets._replace(hidden=next_token(targets.hidden, ids)[0])
    return None if targets is None else next_token(targets, ids)[0]


def _logits(targets: Targets) -> Tensor:
    if isinstance(targets, SparseTargets):
        raise ValueError("targets are sparse, and this student's logits are not one matrix product")
    return targets.logits() if isinstance(targets, HiddenTargets) else targets
