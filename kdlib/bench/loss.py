"""Benchmark of the fused loss against the dense one: time, memory, error, floor and roofline.

The variants alternate, so that a slow phase of the machine affects all of them.
"""

from __future__ import annotations

import functools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kdlib.bench.costs import loss_flops
from kdlib.bench.roofline import Roofline, measure_peaks, roofline
from kdlib.bench.variants import DTYPES, SIZES, Inputs, Size, Variant, make_inputs, variants_on
from kdlib.machine.devices import peak_memory_bytes, pick_device

ROUNDS = 5
ERROR_ROWS = 256  # few enough for float64 to fit in memory
RESET_PEAK = Path("/proc/self/clear_refs")  # Linux: writing 5 resets the peak to the current value


def measure(size_name: str, dtype_name: str, rounds: int = ROUNDS) -> dict[str, Any]:
    """Measure all variants at one size.

    Args:
        size_name: a key of ``SIZES``.
        dtype_name: a key of ``DTYPES``.
        rounds: how often the variants alternate.

    Returns:
        Sizes, device, the floor in seconds, the roofline, and for each variant its seconds, ratios
        to dense, floor and roofline, extra memory in bytes and relative errors; see `table`.
    """
    size, dtype = SIZES[size_name], DTYPES[dtype_name]
    device = torch.device(pick_device("auto"))
    variants, missing = variants_on(device)
    inputs = make_inputs(size, dtype, device)
    seconds = _times(variants, inputs, rounds)
    floor, wrong = floor_seconds(inputs), errors(variants, size, dtype, device)
    # On a busy machine the loss's own products may have had the better moment.
    seen = measure_peaks(dtype, device)
    roof = roofline(size, dtype, seen._replace(flops=max(seen.flops, loss_flops(size) / floor)))
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    return {
        "size": size._asdict(),
        "dtype": dtype_name,
        "device": device.type,
        "threads": torch.get_num_threads(),
        "floor_seconds": floor,
        "roofline": roof._asdict(),
        "missing": missing,
        "variants": {
            name: {
                "seconds": medians[name],
                "to_dense": statistics.median(a / b for a, b in zip(taken, seconds["dense"])),
                "to_floor": medians[name] / floor,
                "to_roofline": medians[name] / roof.seconds,
                "extra_memory_bytes": extra_memory_bytes(name, size, dtype_name),
                "errors": wrong[name],
            }
            for name, taken in seconds.items()
        },
    }


def table(result: dict[str, Any]) -> str:
    """The result of `measure` as text.

    Times are medians. Errors are relative to float64 on the same inputs: of the loss, of the
    gradient in the hidden states, and of the gradient in the head.
    """
    lines = [
        f"{Size(**result['size'])}, {result['dtype']}, {result['device']},"
        f" {result['threads']} threads",
        f"{'':14} {'seconds':>8} {'to dense':>9} {'to floor':>9} {'to roof':>9} {'extra MB':>9}  errors",
        f"{'floor':14} {result['floor_seconds']:8.4f}",
        f"{'roofline':14} {result['roofline']['seconds']:8.4f}  {Roofline(**result['roofline'])}",
    ]
    for name, row in result["variants"].items():
        wrong = " ".join(f"{error:.0e}" for error in row["errors"])
        lines.append(
            f"{name:14} {row['seconds']:8.4f} {row['to_dense']:9.2f} {row['to_floor']:9.2f}"
            f" {row['to_roofline']:9.2f} {row['extra_memory_bytes'] / 1e6:9.0f}  {wrong}"
        )
    lines += [f"{name:14} not measured: {reason}" for name, reason in result["missing"].items()]
    return "\n".join(lines)


def floor_seconds(inputs: Inputs) -> float:
    """Seconds of the four matrix products that no variant can avoid: the arithmetic floor."""
    with torch.no_grad():
        logits = inputs.student @ inputs.head.T
        teacher_logits = inputs.teacher @ inputs.teacher_head.T
        hidden, head = torch.empty_like(inputs.student), torch.empty_like(inputs.head)

        def products() -> None:
            torch.mm(inputs.student, inputs.head.T, out=logits)
            torch.mm(inputs.teacher, inputs.teacher_head.T, out=teacher_logits)
            torch.mm(logits, inputs.head, out=hidden)
            torch.mm(logits.T, inputs.student, out=head)

        return min(_seconds(products, inputs.student.device) for _ in range(3))


def errors(
    variants: dict[str, Variant], size: Size, dtype: torch.dtype, device: torch.device
) -> dict[str, list[float]]:
    """Relative errors of each variant, against float64 with the same (rounded) inputs.

    Returns:
        For each variant the errors of the loss, of the gradient in the hidden states and of the
        gradient in the head.
    """
    few = make_inputs(size._replace(tokens=min(size.tokens, ERROR_ROWS)), dtype, device)
    exact = _step(_dense64, Inputs(*(t.detach().double().requires_grad_() for t in few)))
    return {
        name: [_relative(value, truth) for value, truth in zip(_step(variant, few), exact)]
        for name, variant in variants.items()
    }


def _dense64(inputs: Inputs) -> Tensor:
    """The dense loss, in the precision of its inputs."""
    log_p = (inputs.teacher @ inputs.teacher_head.T).log_softmax(-1)
    log_q = (inputs.student @ inputs.head.T).log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum()


def _times(variants: dict[str, Variant], inputs: Inputs, rounds: int) -> dict[str, list[float]]:
    """Seconds of every variant in every round; the variants alternate."""
    for variant in variants.values():
        _step(variant, inputs)  # warm-up
    rows = [
        [
            _seconds(functools.partial(_step, variant, inputs), inputs.student.device)
            for variant in variants.values()
        ]
        for _ in range(rounds)
    ]
    return dict(zip(variants, map(list, zip(*rows))))


def _step(variant: Variant, inputs: Inputs) -> list[Tensor]:
    """The loss and its two gradients."""
    total = variant(inputs)
    return [total.detach(), *torch.autograd.grad(total, (inputs.student, inputs.head))]


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    """Seconds that the work takes, until the device has finished it."""
    _wait_for(device)
    started = time.perf_counter()
    work()
    _wait_for(device)
    return time.perf_counter() - started


def _wait_for(device: torch.device) -> None:
    """Synchronise with an accelerator."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def _relative(value: Tensor, exact: Tensor) -> float:
    """Relative error in the Euclidean norm."""
    return float((value.double() - exact).norm() / exact.norm())


# --- Memory ---------------------------------------------------------------------------------------


def extra_memory_bytes(name: str, size: Size, dtype: str) -> int:
    """Peak memory of a variant beyond its inputs and the gradients that it returns, in bytes.

    It is measured in a separate process, since the peak of a process never falls. There large blocks
    go back to the system as soon as they are free: glibc else begins to keep them, and one process
    in four then peaks a chunk or two higher, by where its heap happens to lie.

    Args:
        name: of the variant, as in `variants_on`.
        size: of the loss.
        dtype: a key of ``DTYPES``.
    """
    done = subprocess.run(
        [sys.executable, "-m", "kdlib.bench.loss", name, json.dumps(size), dtype],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"MALLOC_MMAP_THRESHOLD_": "131072"},  # its own default, held there
    )
    return int(done.stdout.split()[-1])


def _measure_memory(name: str, size: Size, dtype: torch.dtype) -> int:
    """`extra_memory_bytes`, in this process."""
    device = torch.device(pick_device("auto"))
    variant = variants_on(device)[0][name]
    inputs = make_inputs(size, dtype, device)
    # A first, tiny call allocates what the libraries themselves need.
    _step(variant, make_inputs(Size(8, 16, 16, 32), dtype, device))
    _forget_peak(device)
    before = _peak(device)
    gradients = _step(variant, inputs)[1:]
    return _peak(device) - before - sum(g.numel() * g.element_size() for g in gradients)


def _forget_peak(device: torch.device) -> None:
    """Reset the peak, so that temporary memory for making the inputs does not count."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif RESET_PEAK.exists():
        RESET_PEAK.write_text("5")


def _peak(device: torch.device) -> int:
    """The peak memory so far, in bytes."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return peak_memory_bytes()


if __name__ == "__main__":
    variant, size, dtype = sys.argv[1:]
    print(_measure_memory(variant, Size(*json.loads(size)), DTYPES[dtype]))
