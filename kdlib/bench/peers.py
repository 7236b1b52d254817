"""Forward KL from the same hidden states in other libraries, with their own defaults.

Only the libraries that are installed are compared; none is required.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from kdlib.errors import first_line

Loss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]  # student, head, teacher, its head -> sum


def installed() -> tuple[dict[str, Loss], dict[str, str]]:
    """The libraries that can be imported.

    Returns:
        Their losses by name, and for each of the others the reason why it is missing.
    """
    losses, missing = {}, {}
    for name, load in LOADERS.items():
        try:
            losses[name] = load()
        except (
            ImportError,
            RuntimeError,
            AttributeError,
        ) as error:  # RuntimeError: a failed lazy import inside the library
            missing[name] = first_line(error)
    return losses, missing


def _liger() -> Loss:
    """Its loss is a mean over tokens, scaled back to a sum."""
    from liger_kernel.chunked_loss import LigerFusedLinearJSDLoss

    loss = LigerFusedLinearJSDLoss(weight_hard_loss=0.0, weight_soft_loss=1.0, beta=0.0)

    def total(student: Tensor, head: Tensor, teacher: Tensor, teacher_head: Tensor) -> Tensor:
        labels = torch.zeros(len(student), dtype=torch.long, device=student.device)
        value: Tensor = len(student) * loss(student, head, teacher, teacher_head, labels)
        return value

    return total


def _trl() -> Loss:
    """The chunked divergence of its DistillationTrainer: Triton on a GPU, else torch on tiles."""
    from trl.kernels.chunked_divergence import ChunkedDivergenceFunction

    def total(student: Tensor, head: Tensor, teacher: Tensor, teacher_head: Tensor) -> Tensor:
        divergence: Tensor = ChunkedDivergenceFunction.apply(
            student, head, None, teacher, teacher_head, None, 0.0
        )[0]
        return divergence.sum()

    return total


def _torchtune() -> Loss:
    """Its loss is the cross-entropy to the teacher, which has the same gradient as the KL."""
    from torchtune.modules.loss import ForwardKLWithChunkedOutputLoss

    loss = ForwardKLWithChunkedOutputLoss()

    def total(student: Tensor, head: Tensor, teacher: Tensor, teacher_head: Tensor) -> Tensor:
        chunks = loss.num_output_chunks
        labels = torch.zeros(1, len(student), dtype=torch.long, device=student.device)
        with torch.no_grad():
            teacher_logits = [part[None] @ teacher_head.T for part in teacher.chunk(chunks)]
        student_logits = [part[None] @ head.T for part in student.chunk(chunks)]
        value: Tensor = len(student) * loss(student_logits, teacher_logits, labels)
        return value

    return total


LOADERS = {"liger": _liger, "trl": _trl, "torchtune": _torchtune}
