"""What the linear loss is given: hidden states with the head that turns them into logits, and a
teacher; whether their shapes fit, and the rows of them that count.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from kdlib.losses.fused.buffers import Buffers
from kdlib.losses.objectives import Objective
from kdlib.losses.sparse import SparseTargets

__all__ = ["Head", "HiddenTargets", "Targets"]  # the rest is for `linear`


@dataclass(frozen=True)
class Head:
    """A model's last step: raw = scale * (hidden @ weight.T + bias), and, where soft_cap is set,
    logits = soft_cap * tanh(raw / soft_cap); else logits = raw.

    weight (V, H), bias (V) or None. A tied head is the embedding's weight.
    """

    weight: Tensor
    bias: Tensor | None = None
    scale: float = 1.0
    soft_cap: float | None = None

    def to(self, dtype: torch.dtype) -> Head:
        bias = None if self.bias is None else self.bias.to(dtype)
        return replace(self, weight=self.weight.to(dtype), bias=bias)

    @property
    def width(self) -> int:
        return self.weight.shape[1]


class HiddenTargets(NamedTuple):
    """A teacher by its last hidden states (..., H) and its head, from which its logits follow."""

    hidden: Tensor
    head: Head

    def logits(self) -> Tensor:
        """(..., V), all at once."""
        flat = self.hidden.reshape(-1, self.head.width)
        buffers = Buffers(len(flat), len(self.head.weight), flat.dtype, flat.device)
        return head_logits(flat, self.head, buffers, "all").view(*self.hidden.shape[:-1], -1)


Targets = Tensor | HiddenTargets | SparseTargets


def head_logits(rows: Tensor, head: Head, buffers: Buffers, name: str) -> Tensor:
    """The head's logits of the rows, in the buffers' dtype."""
    if rows.dtype == buffers.dtype:
        logits = torch.mm(rows, head.weight.T, out=buffers.get(name, len(rows)))
    else:
        product = torch.mm(rows, head.weight.T, out=buffers.narrow(len(rows), rows.dtype))
        logits = buffers.get(name, len(rows)).copy_(product)
    if head.bias is not None:
        logits += head.bias
    if head.scale != 1:
        logits *= head.scale
    return (
        logits if head.soft_cap is None else logits.div_(head.soft_cap).tanh_().mul_(head.soft_cap)
    )


def counted_rows(counted: Tensor, device: torch.device) -> Tensor:
    """(...) -> (N): the flat numbers of the rows that count, found where the mask is. A mask on the
    CPU keeps a GPU's queue full; one on the GPU has to be waited for."""
    return counted.flatten().nonzero().squeeze(-1).to(device, non_blocking=True)


def select_rows(values: Tensor, rows: Tensor | None) -> Tensor:
    """(..., D) -> (N, D): the rows that count."""
    flat = values.reshape(-1, values.shape[-1])
    return flat if rows is None else flat[rows]


def select_targets(targets: Targets | None, rows: Tensor | None) -> Targets | None:
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
    if hidden.shape[-1] != head.width:
        raise ValueError(
            f"{name} hidden states have width {hidden.shape[-1]}, its head {head.width};"
            " they must be equal"
        )


def check_kind(targets: Targets | None, objective: Objective) -> None:
    if isinstance(targets, SparseTargets) and objective.divergence != "forward_kl":
        raise ValueError(
            f"divergence is {objective.divergence!r}; sparse targets know the forward KL only"
        )
