"""A frozen teacher, and the check that a student shares nothing with it."""

from __future__ import annotations

from typing import Any

from torch import nn

from kdlib.errors import UserError


def freeze(teacher: nn.Module) -> nn.Module:
    """Put the teacher into eval mode and switch its gradients off, in place.

    ``eval()`` alone would still build a graph for the backward pass.

    Args:
        teacher: any module.

    Returns:
        The same module.
    """
    return teacher.eval().requires_grad_(False)


def check_pair(teacher: nn.Module, student: nn.Module, *, same_tokens: bool = True) -> None:
    """Refuse a pair that would train without an error and learn nothing from it.

    Args:
        teacher: a model of transformers, frozen.
        student: a model of transformers.
        same_tokens: whether both must have vocabularies of one size.

    Raises:
        UserError: for a teacher in training mode or with parameters that require gradients, for
            parameters that both share, and for vocabularies that differ in size.
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
