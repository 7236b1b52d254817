"""A teacher that is frozen, and a student that shares nothing with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

from kdlib.errors import UserError

if TYPE_CHECKING:
    pass


def freeze(teacher: nn.Module) -> nn.Module:
    """Eval mode and no gradients. `eval()` alone would still build a graph for backward."""
    return teacher.eval().requires_grad_(False)


def check_pair(teacher: nn.Module, student: nn.Module, *, same_tokens: bool = True) -> None:
    """Refuse a pair that would train without complaint and teach nothing.

    Raises UserError where the teacher is in training mode or would receive gradients, where the two
    share parameters, and where their vocabularies differ in size.
    """
    if teacher.training:
        raise UserError("teacher: it is in training mode, so dropout would blur it; call freeze()")
    if any(p.requires_grad for p in teacher.parameters()):
        raise UserError("teacher: its parameters require gradients; call freeze()")
    if {p.data_ptr() for p in teacher.parameters()} & {p.data_ptr() for p in student.parameters()}:
        raise UserError("student: it shares parameters with the teacher; build or load it apart")
    configs: list[Any] = [teacher.config, student.config]
    sizes = [config.vocab_size for config in configs]
    if same_tokens and sizes[0] != sizes[1]:
        raise UserError(
            f"student: its vocabulary has {sizes[1]} entries, the teacher's {sizes[0]};"
            " both must use the teacher's tokenizer"
        )
