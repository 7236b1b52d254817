"""The fused loss: the objective from hidden states, in chunks whose logits are never kept.

A dense step keeps several N x V matrices: the logits of both models, their softmaxes, and the
gradients of each. At a real vocabulary these fill the memory, not the model. But the gradient in
the logits has a closed form, so a chunk needs no graph: it makes both logits, adds up the loss,
turns the student's logits into their gradient, multiplies that into the hidden states and the
output matrix, and hands its memory to the next chunk.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from kdlib.losses.distillation import IGNORE_INDEX, check_inputs, counted_positions
from kdlib.losses.fused.buffers import Buffers
from kdlib.losses.fused.chunk_size import chunk_rows
from kdlib.losses.fused.compiled import uses_compiled
from kdlib.losses.fused.gradients import Chunk, chunk_loss
from kdlib.losses.fused.inputs import (
    Head,
    HiddenTargets,
    Targets,
    check_kind,
    check_shapes,
    counted_rows,
    head_logits,
    select_rows,
    select_targets,
)
from kdlib.losses.fused.products import add_product
from kdlib.losses.objectives import Loss, Objective
from kdlib.losses.sparse import SparseTargets


def fused_distillation_loss(
    student_hidden: Tensor,
    student_head: Head,
    targets: Targets | None = None,
    labels: Tensor | None = None,
    mask: Tensor | None = None,
    *,
    objective: Objective,
    token_weights: Tensor | None = None,
    ignore_index: int | None = IGNORE_INDEX,
    chunk: int | None = None,
) -> Loss:
    """`distillation_loss` of the heads' logits, in memory that does not grow with N x V.

    With DDP or FSDP call it inside the wrapped module's forward, as `StudentWithLoss` does: there
    the wrapper sees the loss as an output, and the head's weight is whole.

    The gradient is computed together with the loss and kept: N x H and V x H numbers. Under
    autocast the products run in its dtype, softmaxes still in float32 or better. The teacher has no
    gradient. All arguments are aligned (see `next_token`); uncounted rows are not computed.

    Args:
        student_hidden: (..., H) last hidden states.
        student_head: turns them into logits.
        targets: the teacher's logits (..., V); `HiddenTargets`, of any width; or `SparseTargets`,
            made at the objective's temperature. Optional if ``teacher_weight`` is 0.
        labels: (...) token ids; optional if ``label_weight`` is 0.
        mask: (...), 0 for a position that does not count; it may be on the CPU.
        objective: divergence, temperature and the weights of the two terms.
        token_weights: (...) weights of the positions; None for 1 everywhere.
        ignore_index: the label of a position that does not count.
        chunk: rows at a time; None to choose by the vocabulary.

    Returns:
        The sum over the counted positions, in nats, and their (weighted) number.

    Raises:
        ValueError: for shapes that do not fit and for a missing teacher or missing labels.
        RuntimeError: for a second derivative.
    """
    check_inputs(
        student_hidden.shape[:-1],
        targets is not None,
        labels,
        mask,
        token_weights,
        objective=objective,
    )
    check_shapes(student_hidden, student_head, targets, chunk)
    check_kind(targets, objective)
    counted = counted_positions(labels, mask, token_weights, ignore_index)
    rows = None if counted is None else counted_rows(counted, student_hidden.device)
    weights = (
        None if token_weights is None else select_rows(token_weights.unsqueeze(-1), rows)[:, 0]
    )
    hidden = select_rows(student_hidden, rows)  # by autograd: rows left out get a gradient of 0
    inputs = _Inputs(
        objective,
        student_head,
        select_targets(targets, rows),
        None if labels is None else select_rows(labels.unsqueeze(-1), rows)[:, 0],
        weights,
        chunk,
        _product_dtype(hidden),
        torch.is_grad_enabled(),  # asked here: inside an autograd function it is always off
    )
    sums = _FusedLoss.apply(  # type: ignore[no-untyped-call]  # torch gives it no types
        hidden, student_head.weight, student_head.bias, inputs
    )
    total, ce, kd = (part.clone() for part in sums)  # DDP's and FSDP's hooks want no views
    count = total.new_full((), len(hidden)) if weights is None else weights.to(total.dtype).sum()
    parts = {"cross_entropy": ce.detach()} if labels is not None else {}
    if targets is not None:
        parts["distillation"] = kd.detach()
    return Loss(total, count, parts)


def _product_dtype(hidden: Tensor) -> torch.dtype:
    """Autocast's dtype under autocast, else that of the hidden states."""
    kind = hidden.device.type
    lowered = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
    return torch.get_autocast_dtype(kind) if lowered else hidden.dtype


class _Inputs(NamedTuple):
    """All inputs but the tensors that may receive a gradient. Every row counts."""

    objective: Objective
    head: Head
    targets: Targets | None
    labels: Tensor | None
    weights: Tensor | None
    chunk: int | None  # rows at a time
    dtype: torch.dtype  # of the matrix products
    wants_gradient: bool


class _Gradients(NamedTuple):
    """Of the total in hidden (N, H), weight (V, H) and bias (V,); None if not needed."""

    hidden: Tensor | None
    weight: Tensor | None
    bias: Tensor | None


class _FusedLoss(torch.autograd.Function):
    """-> (total, cross-entropy, distillation); only the total has a gradient."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, inputs: _Inputs
    ) -> Tensor:
        exact = torch.promote_types(hidden.dtype, torch.float32)
        needed = [n and inputs.wants_gradient for n in ctx.needs_input_grad]
        gradients = _Gradients(
            torch.empty_like(hidden) if needed[0] else None,  # each row is written by one chunk
            torch.zeros_like(weight, dtype=exact) if needed[1] else None,
            torch.zeros_like(bias, dtype=exact) if needed[2] and bias is not None else None,
        )
        # Heads are converted here, once, and not V x H numbers again for each chunk.
        inputs = inputs._replace(head=inputs.head.to(inputs.dtype), wants_gradient=any(needed))
        if isinstance(inputs.targets, HiddenTargets):
            teacher, head = inputs.targets
            inputs = inputs._replace(targets=HiddenTargets(teacher, head.to(inputs.dtype)))
        dtype = inputs.dtype if _needs_no_widening(inputs) else exact
        rows = inputs.chunk or chunk_rows(len(weight), hidden.device.type, inputs.dtype, dtype)
        buffers = Buffers(min(rows, len(hidden)), len(weight), dtype, hidden.device)
        sums = hidden.new_zeros(3, dtype=exact)
        for start in range(0, len(hidden), rows):
            sums += _chunk(hidden, slice(start, start + rows), inputs, buffers, gradients)
        ctx.save_for_backward(*gradients)  # gradients, not logits: backward only scales them
        ctx.dtypes = [None if t is None else t.dtype for t in (hidden, weight, bias)]
        return sums

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # only where create_graph asks for a second derivative
            raise RuntimeError(
                "fused_distillation_loss has one derivative; for a second one (create_graph=True)"
                " use distillation_loss"
            )
        scaled = [
            None if kept is None else _scaled(kept, grad[0], dtype)
            for kept, dtype in zip(ctx.saved_tensors, ctx.dtypes)
        ]
        return *scaled, None


def _scaled(kept: Tensor, factor: Tensor, dtype: torch.dtype) -> Tensor:
    """kept * factor in another dtype, without a matrix in kept's own between."""
    return torch.mul(kept, factor, out=torch.empty_like(kept, dtype=dtype))


def _chunk(
    hidden: Tensor, rows: slice, inputs: _Inputs, buffers: Buffers, gradients: _Gradients
) -> Tensor:
    """The sums (3) of one chunk; its share of the gradients is written or added in place."""
    states = hidden[rows].to(inputs.dtype)
    logits = head_logits(states, inputs.head, buffers, "student")
    cap = inputs.head.soft_cap
    # Taken now, because the logits are overwritten: tanh's derivative is 1 - tanh².
    slope = None if cap is None else 1 - (logits / cap).square()
    loss = chunk_loss(
        Chunk(
            logits,
            _teacher_logits(inputs.targets, rows, inputs.dtype, buffers),
            None if inputs.labels is None else inputs.labels[rows],
            None if inputs.weights is None else inputs.weights[rows].to(logits.dtype),
            inputs.objective,
            buffers,
            finite=_are_finite(inputs),
            wants_gradient=inputs.wants_gradient,
        )
    )
    if loss.gradient is not None:
        if slope is not None:
            loss.gradient.mul_(slope)
        _through_head(loss.gradient, states, rows, inputs.head, buffers, gradients)
    return torch.stack((loss.total(inputs.objective), loss.cross_entropy, loss.distillation))


def _teacher_logits(
    targets: Targets | None, rows: slice, dtype: torch.dtype, buffers: Buffers
) -> Tensor | SparseTargets | None:
    """A chunk's targets, in memory that may be overwritten."""
    if targets is None:
        return None
    if isinstance(targets, HiddenTargets):
        return head_logits(targets.hidden[rows].to(dtype), targets.head, buffers, "teacher")
    if isinstance(targets, SparseTargets):
        return targets.map(lambda t: t[rows])
    logits = targets[rows]
    return buffers.get("teacher", len(logits)).copy_(logits)  # the caller's must not change


def _needs_no_widening(inputs: _Inputs) -> bool:
    """Whether logits may stay in half precision: where compiled code reads them once, widens what
    it reads, and rounds the gradient that it writes, which the next product would do anyway."""
    # Weights, scale or cap would round it twice; Q - label, near 0, would be all rounding error.
    if not isinstance(inputs.targets, HiddenTargets) or inputs.weights is not None:
        return False
    heads, objective = (inputs.head, inputs.targets.head), inputs.objective
    return (
        uses_compiled()
        and inputs.wants_gradient
        and all(h.bias is None and h.scale == 1 and h.soft_cap is None for h in heads)
        and (objective.divergence, objective.temperature, objective.label_weight)
        == ("forward_kl", 1, 0)
    )


def _are_finite(inputs: _Inputs) -> bool:
    """Whether no logit can be -inf: a head's bias could cause one; given logits may hold any."""
    has_teacher_logits = isinstance(inputs.targets, Tensor)
    heads = [
        inputs.head,
        *([inputs.targets.head] if isinstance(inputs.targets, HiddenTargets) else []),
    ]
    return not has_teacher_logits and all(head.bias is None for head in heads)


def _through_head(
    gradient: Tensor, states: Tensor, rows: slice, head: Head, buffers: Buffers,
    gradients: _Gradients,
) -> None:  # fmt: skip
    """From the gradient in a chunk's logits (n, V) to those that are needed: in its hidden states
    (n, H), its rows alone, and in weight and bias, which are sums over all chunks."""
    if head.scale != 1:
        gradient.mul_(head.scale)  # the chain rule for scale * (...)
    if gradients.bias is not None:
        gradients.bias.add_(gradient.sum(0))  # before the gradient is rounded
    if states.dtype != gradient.dtype:
        gradient = buffers.narrow(len(states), states.dtype).copy_(gradient)
    if gradients.weight is not None:
        add_product(gradients.weight, gradient.T, states)
    if gradients.hidden is not None:
        mine = gradients.hidden[rows]
        if mine.dtype == gradient.dtype:
            torch.mm(gradient, head.weight, out=mine)
        else:  # under autocast, whose products are not in the hidden states' dtype
            mine.copy_(gradient @ head.weight)
