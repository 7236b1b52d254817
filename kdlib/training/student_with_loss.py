"""A model whose forward pass includes its loss.

DDP, FSDP and mixed precision wrap a module and hook into ``forward``. A loss that is computed there
from hidden states looks to the wrapper like any other output.
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
    """A causal language model with its loss: ``forward`` returns a `Loss` instead of logits.

    The fused loss is used where the logits are one matrix product of the hidden states, else the
    dense loss from logits.
    """

    def forward(
        self,
        ids: Tensor,
        mask: Tensor | None,
        objective: Objective,
        targets: Targets | SpanTargets | None = None,
    ) -> Loss:
        """Compute the loss over the next tokens of a batch.

        Args:
            ids: (B, S) token ids.
            mask: (B, S), 1 for a real token, or None if all are real. Best kept on the CPU: a mask
                on a GPU must be waited for before its tokens can be counted.
            objective: what is minimised.
            targets: the teacher's hidden states or logits at the same (B, S), its sparse targets,
                what it says about the spans of a student with another tokenizer, or None.

        Returns:
            The summed loss in nats and its token count.

        Raises:
            ValueError: for sparse targets where the student has no linear head.
        """
        if isinstance(targets, SpanTargets):
            logits = self.model(input_ids=ids, use_cache=False).logits
            return span_distillation_loss(logits, ids, mask, targets, objective)
        counted = None if mask is None else predicting(mask)
        head = self.head
        if head is None:
            logits, labels, _ = next_token(self.model(input_ids=ids, use_cache=False).logits, ids)
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
    """The targets at the positions that predict. Sparse targets exist for these alone."""
    if isinstance(targets, SparseTargets):
        return targets
    if isinstance(targets, HiddenTargets):
        return targets._replace(hidden=next_token(targets.hidden, ids)[0])
    return None if targets is None else next_token(targets, ids)[0]


def _logits(targets: Targets) -> Tensor:
    """The teacher's dense logits (B, S, V)."""
    if isinstance(targets, SparseTargets):
        raise ValueError("targets are sparse, and this student's logits are not one matrix product")
    return targets.logits() if isinstance(targets, HiddenTargets) else targets
