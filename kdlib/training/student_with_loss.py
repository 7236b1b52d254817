"""A model whose forward pass includes its loss.

DDP, FSDP and mixed precision wrap a module and hook into ``forward``. A loss that is computed there
from hidden states looks to the wrapper like any other output.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from torch import Tensor

from kdlib.losses.alignment import next_token
from kdlib.losses.distillation import distillation_loss
from kdlib.losses.fused.inputs import HiddenTargets, Targets, counted_rows, select_rows
from kdlib.losses.fused.loss import fused_distillation_loss
from kdlib.losses.objectives import Loss, Objective
from kdlib.losses.single_sample import Given, single_sample_loss
from kdlib.losses.spans import SpanTargets, span_distillation_loss
from kdlib.losses.sparse import SparseTargets
from kdlib.models.heads import ModelWithHead, last_hidden_states


class Own(NamedTuple):
    """What of a batch the student wrote itself (see `kdlib.training.rollouts`).

    Attributes:
        rows: (B,) boolean, True where it wrote the text.
        counted: (B, S - 1) boolean, the positions that count: of its rows those that predict what
            it wrote, of the others those that predict a real token.
        single_sample: whether the drawn tokens alone estimate the reverse KL (see
            `kdlib.losses.single_sample`), in place of the objective's divergence.
    """

    rows: Tensor
    counted: Tensor
    single_sample: bool = False


class StudentWithLoss(ModelWithHead):
    """A causal language model with its loss: ``forward`` returns a `Loss` instead of logits.

    The fused loss is used where the logits are one matrix product of the hidden states, else the
    dense loss from logits.
    """

    def forward(
        self,
        ids: Tensor | None = None,
        counted: Tensor | None = None,
        objective: Objective | None = None,
        targets: Targets | SpanTargets | None = None,
        own: Own | None = None,
        **reading: Any,
    ) -> Any:
        """Compute the loss over the next tokens of a batch.

        Args:
            ids: (B, S) token ids.
            counted: (B, S - 1) boolean, the positions whose next token counts (see
                `kdlib.data.blocks.Blocks.counted`), or None if all do. Best kept on the CPU: on a
                GPU it must be waited for before its tokens can be counted.
            objective: what is minimised; None to run the model alone, as it writes.
            targets: the teacher's hidden states or logits at the same (B, S), its sparse targets,
                what it says about the spans of a student with another tokenizer, or None.
            own: which rows the student wrote itself, and which of their positions count.
            **reading: where there is no objective, what the model is run with.

        Returns:
            The summed loss in nats and its token count; the model's output where there is no
            objective.

        Raises:
            ValueError: for sparse targets where the student has no linear head.
        """
        if objective is None:  # through this module all the same: wrappers hook into it
            return self.model(**reading)
        assert ids is not None
        if isinstance(targets, SpanTargets):
            logits = self.model(input_ids=ids, use_cache=False).logits
            return span_distillation_loss(logits, ids, counted, targets, objective)
        student, labels = self._aligned_output(ids)
        teacher = _aligned(targets, ids)
        return sum(
            _single_sample(student, teacher, labels, positions, part.teacher_weight)
            if single
            else _loss(student, teacher, labels, positions, part)
            for positions, part, single in _parts(counted, objective, own)
        )

    def _aligned_output(self, ids: Tensor) -> tuple[Given, Tensor]:
        """What the student says at the positions that predict, and what came (B, S - 1)."""
        head = self.head
        if head is None:
            logits, labels, _ = next_token(self.model(input_ids=ids, use_cache=False).logits, ids)
            return logits, labels
        hidden, labels, _ = next_token(last_hidden_states(self.model, ids), ids)
        return HiddenTargets(hidden, head), labels


def _parts(
    counted: Tensor | None, objective: Objective, own: Own | None
) -> Iterator[tuple[Tensor | None, Objective, bool]]:
    """Which positions have which objective, and whether it is estimated from the drawn token."""
    if own is None:
        yield counted, objective, False
    elif not objective.label_weight and not own.single_sample:
        yield own.counted, objective, False
    else:
        mine = own.rows[:, None]
        yield own.counted & ~mine, objective, False
        # A token that the student drew is no label.
        yield own.counted & mine, replace(objective, label_weight=0.0), own.single_sample


def _loss(
    student: Given, teacher: Targets | None, labels: Tensor, counted: Tensor | None,
    objective: Objective,
) -> Loss:  # fmt: skip
    """The objective at the positions that count; the others are not computed."""
    if isinstance(student, HiddenTargets):
        return fused_distillation_loss(
            student.hidden, student.head, teacher, labels, counted,
            objective=objective, ignore_index=None,
        )  # fmt: skip
    target = None if teacher is None else _logits(teacher)
    counted = None if counted is None else counted.to(labels.device, non_blocking=True)
    return distillation_loss(
        student, target, labels, counted, objective=objective, ignore_index=None
    )


def _single_sample(
    student: Given, teacher: Targets | None, drawn: Tensor, counted: Tensor | None, weight: float
) -> Loss:
    """The reverse KL from the tokens that the student drew, where these count."""
    assert counted is not None
    assert teacher is not None
    assert not isinstance(teacher, SparseTargets)
    rows = counted_rows(counted, drawn.device)
    return single_sample_loss(
        _rows_of(student, rows), _rows_of(teacher, rows), drawn.flatten()[rows], weight
    )


def _rows_of(given: Given, rows: Tensor) -> Given:
    """What a model says at some positions, by their flat numbers."""
    if isinstance(given, HiddenTargets):
        return HiddenTargets(select_rows(given.hidden, rows), given.head)
    return select_rows(given, rows)


def _aligned(targets: Targets | None, ids: Tensor) -> Targets | None:
    """The targets at the positions that predict. Sparse targets exist for these alone."""
    if isinstance(targets, SparseTargets):
        return targets
    if isinstance(targets, HiddenTargets):
        return targets._replace(hidden=next_token(targets.hidden, ids)[0])
    return None if targets is None else next_token(targets, ids)[0]


def _logits(targets: Targets) -> Tensor:
    """The teacher's dense logits (B, S - 1, V)."""
    if isinstance(targets, SparseTargets):
        raise ValueError("targets are sparse, and this student's logits are not one matrix product")
    return targets.logits() if isinstance(targets, HiddenTargets) else targets
