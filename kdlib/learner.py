"""A model with its loss inside its forward pass.

What wraps a module to train it on many processes or in mixed precision hooks into `forward`: a loss
that is computed there, from hidden states, is seen by the wrapper like any other output.
"""

from __future__ import annotations

from torch import Tensor, nn

from kdlib.heads import last_hidden_states, linear_head
from kdlib.linear import HiddenTargets, Targets, linear_distillation_loss
from kdlib.objectives import Loss, Objective, distillation_loss, next_token


class Learner(nn.Module):
    """forward(ids, mask, objective, targets) -> Loss over the next tokens of a batch.

    ids (B, S); mask (B, S), or None where all tokens are real; targets: the teacher's hidden states
    or logits at the same (B, S), or None.
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model
        self.head = linear_head(model)

    def forward(
        self, ids: Tensor, mask: Tensor | None, objective: Objective, targets: Targets | None = None
    ) -> Loss:
        if self.head is None:
            logits, labels, counted = next_token(self.model(input_ids=ids).logits, ids, mask)
            target = None if targets is None else next_token(_logits(targets), ids)[0]
            return distillation_loss(
                logits, target, labels, counted, objective=objective, ignore_index=None
            )
        hidden, labels, counted = next_token(last_hidden_states(self.model, ids), ids, mask)
        return linear_distillation_loss(
            hidden, self.head, _aligned(targets, ids), labels, counted,
            objective=objective, ignore_index=None,
        )  # fmt: skip


def _aligned(targets: Targets | None, ids: Tensor) -> Targets | None:
    if isinstance(targets, HiddenTargets):
        return targets._replace(hidden=next_token(targets.hidden, ids)[0])
    return None if targets is None else next_token(targets, ids)[0]


def _logits(targets: Targets) -> Tensor:
    return targets.logits() if isinstance(targets, HiddenTargets) else targets
