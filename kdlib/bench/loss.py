"""The loss from hidden states against the dense one: time, memory, error, and the arithmetic floor.

One measurement is forward KL and its gradients in the student's hidden states and output matrix,
from two sets of hidden states. The variants take turns, so that a slow minute hits all of them.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from kdlib.linear import Head, HiddenTargets, linear_distillation_loss
from kdlib.machine import peak_memory_bytes
from kdlib.objectives import Objective

ROUNDS = 5
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


def make_inputs(size: Size, dtype: torch.dtype, device: str = "cpu") -> Inputs:
    """Hidden states of size 1, and heads that make logits with a spread of about 2."""
    generator = torch.Generator().manual_seed(0)

    def draw(rows: int, width: int, scale: float) -> Tensor:
        return (scale * torch.randn(rows, width, generator=generator)).to(device, dtype)

    student, teacher = draw(size.tokens, size.width, 1.0), draw(size.tokens, size.teacher_width, 1.0)
    heads = [draw(size.vocabulary, w, 2 * w**-0.5) for w in (size.width, size.teacher_width)]
    return Inputs(student.requires_grad_(), heads[0].requires_grad_(), teacher, heads[1])


def dense(given: Inputs) -> Tensor:
    """What one writes first: both logits whole, softmaxes in float32, PyTorch's own kl_div."""
    with torch.no_grad():
        log_p = (given.teacher @ given.teacher_head.T).float().log_softmax(-1)
    log_q = (given.student @ given.head.T).float().log_softmax(-1)
    return F.kl_div(log_q, log_p, log_target=True, reduction="sum")


def linear(given: Inputs) -> Tensor:
    """`kdlib.linear`, as the training loop calls it."""
    targets = HiddenTargets(given.teacher, Head(given.teacher_head))
    return linear_distillation_loss(given.student, Head(given.head), targets, objective=OBJECTIVE).total


VARIANTS: dict[str, Callable[[Inputs], Tensor]] = {"dense": dense, "linear": linear}


def floor_seconds(given: Inputs) -> float:
    """The four matrix products that no variant can avoid, and nothing else: the arithmetic floor."""
    with torch.no_grad():
        logits = given.student @ given.head.T
        teacher_logits = given.teacher @ given.teacher_head.T
        hidden, head = torch.empty_like(given.student), torch.empty_like(given.head)

        def products() -> None:
            torch.mm(given.student, given.head.T, out=logits)
            torch.mm(given.teacher, given.teacher_head.T, out=teacher_logits)
            torch.mm(logits, given.head, out=hidden)
            torch.mm(logits.T, given.student, out=head)

        return min(_seconds(products, given.student.device) for _ in range(3))


def measure(size_name: str, dtype_name: str, rounds: int = ROUNDS) -> dict:
    """Everything about one size: see `table` for what is in it."""
    size, dtype = SIZES[size_name], DTYPES[dtype_name]
    given = make_inputs(size, dtype)
    seconds = _times(given, rounds)
    floor, wrong = floor_seconds(given), errors(size, dtype)
    variants = {
        name: {
            "seconds": statistics.median(taken),
            "to_dense": statistics.median(a / b for a, b in zip(taken, seconds["dense"])),
            "to_floor": statistics.median(taken) / floor,
            "extra_memory_bytes": extra_memory_bytes(name, size, dtype_name),
            "errors": wrong[name],
        }
        for name, taken in seconds.items()
    }
    return {
        "size": size._asdict(), "dtype": dtype_name, "device": given.student.device.type,
        "threads": torch.get_num_threads(), "floor_seconds": floor, "variants": variants,
    }  # fmt: skip


def table(result: dict) -> str:
    """Times are medians; errors are relative to float64 on the same inputs: of the loss, of the
    gradient in the hidden states, and of that in the head."""
    size = Size(**result["size"])
    head = f"{size}, {result['dtype']}, {result['device']}, {result['threads']} threads"
    lines = [
        head,
        f"{'':8} {'seconds':>8} {'to dense':>9} {'to floor':>9} {'extra MB':>9}  errors",
        f"{'floor':8} {result['floor_seconds']:8.3f}",
    ]
    for name, row in result["variants"].items():
        wrong = " ".join(f"{error:.0e}" for error in row["errors"])
        lines.append(
            f"{name:8} {row['seconds']:8.3f} {row['to_dense']:9.2f} {row['to_floor']:9.2f}"
            f" {row['extra_memory_bytes'] / 1e6:9.0f}  {wrong}"
        )
    return "\n".join(lines)


def _times(given: Inputs, rounds: int) -> dict[str, list[float]]:
    """Seconds of every variant in every round; they take turns."""
    for variant in VARIANTS.values():
        _step(variant, given)  # warm-up
    rows = [
        [_seconds(lambda: _step(variant, given), given.student.device) for variant in VARIANTS.values()]
        for _ in range(rounds)
    ]
    return dict(zip(VARIANTS, map(list, zip(*rows))))


def errors(size: Size, dtype: torch.dtype) -> dict[str, list[float]]:
    """Relative errors of loss, gradient in hidden states and gradient in the head, against float64
    with the same (rounded) inputs, on so few rows that float64 finds room."""
    few = make_inputs(size._replace(tokens=min(size.tokens, 256)), dtype)
    exact = _step(dense64, Inputs(*(t.detach().double().requires_grad_() for t in few)))
    return {
        name: [_relative(mine, theirs) for mine, theirs in zip(_step(variant, few), exact)]
        for name, variant in VARIANTS.items()
    }


def dense64(given: Inputs) -> Tensor:
    log_p = (given.teacher @ given.teacher_head.T).log_softmax(-1)
    log_q = (given.student @ given.head.T).log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum()


def extra_memory_bytes(name: str, size: Size, dtype: str) -> int:
    """What a variant needs beyond its inputs and the gradients it returns: measured in a process of
    its own, since the peak of a process never falls."""
    done = subprocess.run(
        [sys.executable, "-m", "kdlib.bench.loss", name, json.dumps(size), dtype],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return int(done.stdout)


def _measure_memory(name: str, size: Size, dtype: torch.dtype) -> int:
    given = make_inputs(size, dtype)
    # A first, tiny call brings in what the libraries themselves need.
    _step(VARIANTS[name], make_inputs(Size(8, 16, 16, 32), dtype))
    before = peak_memory_bytes()
    gradients = _step(VARIANTS[name], given)[1:]
    return peak_memory_bytes() - before - sum(g.numel() * g.element_size() for g in gradients)


def _step(variant: Callable[[Inputs], Tensor], given: Inputs) -> list[Tensor]:
    """The loss and its two gradients."""
    total = variant(given)
    return [total.detach(), *torch.autograd.grad(total, (given.student, given.head))]


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    _wait_for(device)
    started = time.perf_counter()
    work()
    _wait_for(device)
    return time.perf_counter() - started


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _relative(mine: Tensor, exact: Tensor) -> float:
    return ((mine.double() - exact).norm() / exact.norm()).item()


if __name__ == "__main__":
    variant, size, dtype = sys.argv[1:]
    print(_measure_memory(variant, Size(*json.loads(size)), DTYPES[dtype]))
