"""The inputs of the fused loss: hidden states, the head that makes logits of them, and a teacher.

Also the checks that their shapes fit, and the selection of the rows that count.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from kdlib.losses.fused.buffers import Buffers
from kdlib.losses.fused.products import writes_float32
from kdlib.losses.objectives import Objective
from kdlib.losses.sparse import SparseTargets

__all__ = ["Head", "HiddenTargets", "Targets"]  # the rest is for the fused loss


@dataclass(frozen=True)
class Head:
    r"""A model's last layer, from hidden states h to logits z.

    .. math:: r = s \, (W h + b), \qquad z = c \tanh(r / c)

    Without a soft cap c the logits are r. A tied head is the embedding's weight.

    Attributes:
        weight: (V, H), W.
        bias: (V,), b; or None.
        scale: the factor s.
        soft_cap: c, which bounds every logit's size; or None.
    """

    weight: Tensor
    bias: Tensor | None = None
    scale: float = 1.0
    soft_cap: float | None = None

    def to(self, dtype: torch.dtype) -> Head:
        """The same head with its weight and bias in this dtype."""
        bias = None if self.bias is None else self.bias.to(dtype)
        return replace(self, weight=self.weight.to(dtype), bias=bias)

    @property
    def width(self) -> int:
        """H, the width of the hidden states that it takes."""
        return self.weight.shape[1]


class HiddenTargets(NamedTuple):
    """A teacher given by its last hidden states and its head, from which its logits follow.

    Attributes:
        hidden: (..., H).
        head: from width H to the vocabulary.
    """

    hidden: Tensor
    head: Head

    def logits(self) -> Tensor:
        """The logits (..., V) of all positions at once."""
        flat = self.hidden.reshape(-1, self.head.width)
        buffers = Buffers(len(flat), len(self.head.weight), flat.dtype, flat.device)
        head = self.head.to(flat.dtype)
        return head_logits(flat, head, buffers, "all").view(*self.hidden.shape[:-1], -1)


Targets = Tensor | HiddenTargets | SparseTargets


def head_logits(rows: Tensor, head: Head, buffers: Buffers, name: str) -> Tensor:
    """The logits of some hidden states, in memory of the buffers.

    Args:
        rows: (N, H) hidden states.
        head: of the same width and dtype.
        buffers: whose dtype the logits get.
        name: of the buffer.

    Returns:
        (N, V); valid until the next use of that buffer.
    """
    if rows.dtype == buffers.dtype:
        logits = torch.mm(rows, head.weight.T, out=buffers.get(name, len(rows)))
    elif buffers.dtype == torch.float32 and writes_float32(rows.device.type, rows.dtype):
        wide = buffers.get(name, len(rows))
        logits = torch.mm(rows, head.weight.T, out_dtype=buffers.dtype, out=wide)
    else:
        # This half-precision product cannot write into a float32 matrix: it needs one of its own.
        product = torch.mm(rows, head.weight.T, out=buffers.narrow(len(rows), rows.dtype))
        logits = buffers.get(name, len(rows)).copy_(product)
    if head.bias is not None:
        logits += head.bias  # from here on in place: no further matrix of N x V
    if head.scale != 1:
        logits *= head.scale
    return (
        logits if head.soft_cap is None else logits.div_(head.soft_cap).tanh_().mul_(head.soft_cap)
    )


def counted_rows(counted: Tensor, device: torch.device) -> Tensor:
    """The numbers of the rows that count, after flattening.

    They are found where the mask is. A mask on the CPU keeps a GPU's queue full; one on the GPU has
    to be waited for.

    Args:
        counted: (...), boolean.
        device: where the result is needed.

    Returns:
        (N,), on that device.
    """
    # The size of a nonzero() depends on the data: on a GPU the host would wait for the device here.
    return counted.flatten().nonzero().squeeze(-1).to(device, non_blocking=True)


def select_rows(values: Tensor, rows: Tensor | None) -> Tensor:
    """The rows that count.

    Args:
        values: (..., D).
        rows: (N,) flat numbers; None for all.

    Returns:
        (N, D).
    """
    flat = values.reshape(-1, values.shape[-1])
    return flat if rows is None else flat[rows]


def select_targets(targets: Targets | None, rows: Tensor | None) -> Targets | None:
    """The targets of the rows that count, detached.

    Args:
        targets: of positions (...).
        rows: (N,) flat numbers; None for all.

    Returns:
        Targets of the same type, of positions (N,).
    """
    # Detached, so that no graph of the teacher is kept alive.
    if isinstance(targets, HiddenTargets):
        return HiddenTargets(select_rows(targets.hidden.detach(), rows), targets.head)
    if isinstance(targets, SparseTargets):
        flat: list[Any] = [
            None if t is None else select_rows(t.unsqueeze(-1), rows)[:, 0] for t in targets[2:]
        ]
        return SparseTargets(
            select_rows(targets.ids, rows), select_rows(targets.weights, rows), *flat
        )
    return None if targets is None else select_rows(targets.detach(), rows)


def check_shapes(hidden: Tensor, head: Head, targets: Targets | None, chunk: int | None) -> None:
    """Check that hidden states, head and targets fit each other.

    Args:
        hidden: (..., H) of the student.
        head: of the student.
        targets: of the same positions, over the same vocabulary.
        chunk: rows at a time, or None.

    Raises:
        ValueError: for shapes that do not fit and for a chunk below 1.
    """
    if chunk is not None and chunk < 1:
        raise ValueError(f"chunk is {chunk}; it must be at least 1")
    _check_width("student", hidden, head)
    if targets is None:
        return
    if isinstance(targets, HiddenTargets):
        _check_width("teacher", *targets)
        leading, vocabulary = targets.hidden.shape[:-1], len(targets.head.weight)
    elif isinstance(targets, SparseTargets):
        leading, vocabulary = targets.ids.shape[:-1], len(head.weight)
    else:
        leading, vocabulary = targets.shape[:-1], targets.shape[-1]
    if leading != hidden.shape[:-1]:
        raise ValueError(
            f"targets have rows {tuple(leading)}, student_hidden {tuple(hidden.shape[:-1])};"
            " they must be equal"
        )
    if vocabulary != len(head.weight):
        raise ValueError(
            f"targets are over {vocabulary} tokens, the student over {len(head.weight)};"
            " map the vocabularies first"
        )


def _check_width(name: str, hidden: Tensor, head: Head) -> None:
    """Hidden states (..., H) and head must have one width."""
    if hidden.shape[-1] != head.width:
        raise ValueError(
            f"{name} hidden states have width {hidden.shape[-1]}, its head {head.width};"
            " they must be equal"
        )


def check_kind(targets: Targets | None, objective: Objective) -> None:
    """Check that the targets can serve the objective's divergence.

    Raises:
        ValueError: for sparse targets with another divergence than the forward KL.
    """
    if isinstance(targets, SparseTargets) and objective.divergence != "forward_kl":
        raise ValueError(
            f"divergence is {objective.divergence!r}; sparse targets know the forward KL only"
        )
