"""Forward KL from the same hidden states by other libraries, at their own defaults: those that happen
to be installed. None is required.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Loss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]  # student, head, teacher, its head -> sum


def installed() -> tuple[dict[str, Loss], dict[str, str]]:
    """The peers that can be imported, and for each other one the reason."""
    found, missing = {}, {}
    for name, load in LOADERS.items():
        try:
            found[name] = load()
        except (
            ImportError,
            RuntimeError,
            AttributeError,
        ) as error:  # RuntimeError: its own lazy import
            missing[name] = str(error).splitlines()[0]
    return found, missing


def _liger() -> Loss:
    from liger_kernel.chunked_loss import LigerFusedLinearJSDLoss

    loss = LigerFusedLinearJSDLoss(weight_hard_loss=0.0, weight_soft_loss=1.0, beta=0.0)

    def total(student: Tensor, head: Tensor, teacher: Tensor, teacher_head: Tensor) -> Tensor:
        labels = torch.zeros(len(student), dtype=torch.long, device=student.device)
        value: Tensor = len(student) * loss(student, head, teacher, teacher_head, labels)
        return value

    return total


def _trl() -> Loss:
    from trl.experimental.gkd import GKDTrainer

    def total(student: Tensor, head: Tensor, teacher: Tensor, teacher_head: Tensor) -> Tensor:
        with torch.no_grad():
            teacher_logits = (teacher @ teacher_head.T)[None]
        student_logits = (student @ head.T)[None]
        value: Tensor = GKDTrainer.generalized_jsd_loss(
            student_logits, teacher_logits, beta=0.0, reduction="sum"
        )
        return value

    return total


def _torchtune() -> Loss:
    """Its loss is the cross-entropy of teacher and student: another value, the same gradient."""
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
