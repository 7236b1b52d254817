"""The implementations of one loss that are compared, and the sizes at which they are tried.

The loss is the forward KL of a student to its teacher, computed from the same hidden states, with
its gradients with respect to the student's hidden states and output head.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from kdlib.bench import peers
from kdlib.losses.fused.compiled import is_available, use_compiled
from kdlib.losses.fused.inputs import Head, HiddenTargets
from kdlib.losses.fused.loss import fused_distillation_loss
from kdlib.losses.objectives import Objective

OBJECTIVE = Objective.from_alpha(1.0)


class Size(NamedTuple):
    """Sizes of one loss.

    Attributes:
        tokens: number of positions N.
        width: of the student's hidden states, H.
        teacher_width: of the teacher's hidden states, H'.
        vocabulary: number of tokens in the vocabulary, V.
    """

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
    """Hidden states and output heads of both models.

    Attributes:
        student: (N, H) hidden states, with gradient.
        head: (V, H) the student's output head, with gradient.
        teacher: (N, H') hidden states, without gradient.
        teacher_head: (V, H') the teacher's output head, without gradient.
    """

    student: Tensor
    head: Tensor
    teacher: Tensor
    teacher_head: Tensor


def make_inputs(size: Size, dtype: torch.dtype, device: torch.device) -> Inputs:
    """Random inputs, the same on every call.

    Hidden states have unit variance, and logits a standard deviation of about 2.
    """
    generator = torch.Generator().manual_seed(0)

    def draw(rows: int, width: int, scale: float) -> Tensor:
        return (scale * torch.randn(rows, width, generator=generator)).to(device, dtype)

    student, teacher = (
        draw(size.tokens, size.width, 1.0),
        draw(size.tokens, size.teacher_width, 1.0),
    )
    heads = [draw(size.vocabulary, w, 2 * w**-0.5) for w in (size.width, size.teacher_width)]
    return Inputs(student.requires_grad_(), heads[0].requires_grad_(), teacher, heads[1])


def dense(inputs: Inputs) -> Tensor:
    """The straightforward version: full logits, softmax in float32, PyTorch's ``kl_div``."""
    with torch.no_grad():
        log_p = (inputs.teacher @ inputs.teacher_head.T).float().log_softmax(-1)
    log_q = (inputs.student @ inputs.head.T).float().log_softmax(-1)
    return F.kl_div(log_q, log_p, log_target=True, reduction="sum")


def fused(inputs: Inputs) -> Tensor:
    """`fused_distillation_loss` as the training loop calls it."""
    targets = HiddenTargets(inputs.teacher, Head(inputs.teacher_head))
    return fused_distillation_loss(
        inputs.student, Head(inputs.head), targets, objective=OBJECTIVE
    ).total


def fused_compiled(inputs: Inputs) -> Tensor:
    """The fused loss with its element-wise part compiled, as a recipe's ``loss_pass`` has it."""
    with use_compiled(True):
        return fused(inputs)


def dense_compiled(inputs: Inputs) -> Tensor:
    """`dense` as ``torch.compile`` makes it: fewer passes over logits that are all in memory."""
    return _compiled_dense()(inputs)


@functools.cache
def _compiled_dense() -> Callable[[Inputs], Tensor]:
    """Compiled on its first call, and once for all sizes."""
    compiled: Callable[[Inputs], Tensor] = torch.compile(dense, dynamic=True)
    return compiled


Variant = Callable[[Inputs], Tensor]
VARIANTS: dict[str, Variant] = {"dense": dense, "fused": fused}
COMPILED: dict[str, Variant] = {"compiled": fused_compiled, "dense compiled": dense_compiled}


def _on_inputs(loss: peers.Loss) -> Variant:
    """A peer's loss as a function of `Inputs`."""
    return lambda inputs: loss(*inputs)


def variants_on(device: torch.device) -> tuple[dict[str, Variant], dict[str, str]]:
    """The variants that can run on a device.

    Returns:
        The variants by name, and for each of the others the reason why it cannot run.
    """
    peer_losses, missing = peers.installed()
    variants = dict(VARIANTS)
    if is_available(device):
        variants |= COMPILED
    else:
        missing = dict.fromkeys(COMPILED, "no compiler") | missing
    variants |= {name: _on_inputs(loss) for name, loss in peer_losses.items()}
    return variants, missing
