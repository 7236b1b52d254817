"""What is compared: ways to one loss from the same hidden states, and the sizes to try them at.

The loss is the forward KL of a student to its teacher, with its gradients in the student's hidden
states and output matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from kdlib.bench import peers
from kdlib.losses.fused.compiled import forced, is_available
from kdlib.losses.fused.inputs import Head, HiddenTargets
from kdlib.losses.fused.loss import fused_distillation_loss
from kdlib.losses.objectives import Objective

OBJECTIVE = Objective.from_alpha(1.0)


class Size(NamedTuple):
    tokens: int
    width: int
    teacher_width: int
    vocabulary: int

    def __str__(self) -> str:
        return f"N={self.tokens} H={self.width}/{self.teacher_width} V={self.vocabulary}"


SIZES = {
    "small": Size(2048, 128, 256, 2048),
    "gpt2": Size(2048, 256, 768, 50_257),
    "smollm": Size(1024, 576, 576, 49_152),
    "smollm-long": Size(4096, 576, 576, 49_152),
}
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class Inputs(NamedTuple):
    """student (N, H), head (V, H), with gradients; teacher (N, H'), its head (V, H'), without."""

    student: Tensor
    head: Tensor
    teacher: Tensor
    teacher_head: Tensor


def make_inputs(size: Size, dtype: torch.dtype, device: torch.device) -> Inputs:
    """Hidden states of size 1, and heads that make logits with a spread of about 2."""
    generator = torch.Generator().manual_seed(0)

    def draw(rows: int, width: int, scale: float) -> Tensor:
        return (scale * torch.randn(rows, width, generator=generator)).to(device, dtype)

    student, teacher = (
        draw(size.tokens, size.width, 1.0),
        draw(size.tokens, size.teacher_width, 1.0),
    )
    heads = [draw(size.vocabulary, w, 2 * w**-0.5) for w in (size.width, size.teacher_width)]
    return Inputs(student.requires_grad_(), heads[0].requires_grad_(), teacher, heads[1])


def dense(given: Inputs) -> Tensor:
    """What one writes first: both logits whole, softmaxes in float32, PyTorch's own kl_div."""
    with torch.no_grad():
        log_p = (given.teacher @ given.teacher_head.T).float().log_softmax(-1)
    log_q = (given.student @ given.head.T).float().log_softmax(-1)
    return F.kl_div(log_q, log_p, log_target=True, reduction="sum")


def fused(given: Inputs) -> Tensor:
    """`kdlib.losses.fused.loss`, as the training loop calls it, without a compiler."""
    with forced(False):
        return _fused(given)


def fused_compiled(given: Inputs) -> Tensor:
    """The same with its element-wise part compiled."""
    with forced(True):
        return _fused(given)


def _fused(given: Inputs) -> Tensor:
    targets = HiddenTargets(given.teacher, Head(given.teacher_head))
    return fused_distillation_loss(
        given.student, Head(given.head), targets, objective=OBJECTIVE
    ).total


Variant = Callable[[Inputs], Tensor]
VARIANTS: dict[str, Variant] = {"dense": dense, "linear": fused}


def _on_inputs(loss: peers.Loss) -> Variant:
    return lambda given: loss(*given)


def variants_on(device: torch.device) -> tuple[dict[str, Variant], dict[str, str]]:
    """All that can run here, and why the others cannot."""
    found, missing = peers.installed()
    all_of_them = dict(VARIANTS)
    if is_available(device):
        all_of_them["compiled"] = fused_compiled
    else:
        missing = {"compiled": "no compiler"} | missing
    all_of_them |= {name: _on_inputs(loss) for name, loss in found.items()}
    return all_of_them, missing
