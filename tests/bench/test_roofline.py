"""The roofline counts what nobody avoids, and takes the longer of two times."""

import pytest
import torch

from kdlib.bench import roofline as rooflines
from kdlib.bench.costs import loss_flops
from kdlib.bench.roofline import Peaks, least_bytes, measure_peaks, roofline
from kdlib.bench.variants import Size, make_inputs

SIZE = Size(tokens=6, width=3, teacher_width=5, vocabulary=7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_bytes_are_those_of_inputs_and_gradients(dtype):
    given = make_inputs(SIZE, dtype, torch.device("cpu"))
    tensors = [*given, given.student, given.head]  # whose gradients have their shapes
    assert least_bytes(SIZE, dtype) == sum(t.numel() * t.element_size() for t in tensors)


def test_the_slower_of_the_two_bounds_it():
    flops, moved = loss_flops(SIZE), least_bytes(SIZE, torch.float32)
    slow_products = roofline(SIZE, torch.float32, Peaks(flops / 2, moved))
    slow_memory = roofline(SIZE, torch.float32, Peaks(flops, moved / 3))
    assert (slow_products.seconds, slow_memory.seconds) == pytest.approx((2, 3))
    assert str(slow_products).endswith("bound by operations")
    assert str(slow_memory).endswith("bound by bytes")


def test_peaks_are_work_over_the_best_time(monkeypatch):
    """By a clock that is told: 2 seconds, then 1, for each of the tries."""
    ticks = iter([0, 2, 2, 3, 10, 12, 12, 13])
    monkeypatch.setattr(rooflines, "TRIES", 2)
    monkeypatch.setattr(rooflines, "SQUARE", 8)
    monkeypatch.setattr(rooflines, "COPIED_BYTES", 400)
    monkeypatch.setattr(rooflines.time, "perf_counter", lambda: next(ticks))
    assert measure_peaks(torch.float32, torch.device("cpu")) == (2 * 8**3, 2 * 400)
