"""What a GPU is asked to launch, counted without one."""

import pytest
import torch

from kdlib.bench.launches import Launches, launches
from kdlib.bench.variants import DTYPES, Inputs, Size, fused
from kdlib.losses.fused.chunk_size import chunk_rows

REAL = {
    "Llama 3, 8B to 1B": Size(16_384, 2048, 4096, 128_256),
    "SmolLM2": Size(16_384, 576, 576, 49_152),
}


def on_paper(size, dtype):
    """Inputs of a real size that take no memory."""
    shapes = (
        (size.tokens, size.width), (size.vocabulary, size.width),
        (size.tokens, size.teacher_width), (size.vocabulary, size.teacher_width),
    )  # fmt: skip
    student, head, *teacher = (torch.empty(*s, dtype=DTYPES[dtype], device="meta") for s in shapes)
    return Inputs(student.requires_grad_(), head.requires_grad_(), *teacher)


def step(size, dtype):
    given = on_paper(size, dtype)
    return lambda: torch.autograd.grad(fused(given), (given.student, given.head))


def test_what_computes_nothing_is_not_counted():
    numbers = torch.empty(3, 4, device="meta")
    with Launches() as counted:
        numbers.T[1:].detach().reshape(-1, 3)  # views
        torch.empty_like(numbers)
    assert not counted.counts
    assert launches(lambda: (numbers + 1).sum().mul_(2)) == 3
    assert launches(lambda: numbers.T.clone()) == 1


@pytest.mark.parametrize("name", REAL)
def test_half_precision_launches_no_more_than_float32(name):
    half, whole = (launches(step(REAL[name], dtype)) for dtype in ("bf16", "fp32"))
    assert half <= whole


def test_of_a_chunk_it_launches_the_rounding_of_its_gradient_more_and_nothing_else():
    """Above all: no product in pieces, and no logits that are converted."""
    size = REAL["SmolLM2"]._replace(tokens=64)
    counts = {}
    for dtype in ("bf16", "fp32"):
        with Launches() as counted:
            step(size, dtype)()
        counts[dtype] = counted.counts
    assert counts["bf16"].total() == counts["fp32"].total() + 1
    products = [sum(c[name] for name in ("mm", "addmm", "addmm_")) for c in counts.values()]
    assert products == [4, 4]


@pytest.mark.parametrize("dtype", DTYPES)
def test_launches_grow_with_the_chunks_and_not_with_the_width(dtype):
    """A head twice as wide was, in pieces, twice as many launches."""
    size = REAL["SmolLM2"]
    wide = size._replace(width=2 * size.width)
    assert launches(step(wide, dtype)) == launches(step(size, dtype))
    rows = chunk_rows(size.vocabulary, "meta", DTYPES[dtype])
    one, two, three = (launches(step(size._replace(tokens=n * rows), dtype)) for n in (1, 2, 3))
    assert three - two == two - one
