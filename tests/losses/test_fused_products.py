"""Sums of products keep float32's digits wherever their factors are, and by every road."""

import pytest
import torch

from kdlib.losses.fused import products
from kdlib.losses.fused.products import add_product, writes_float32


def factors(dtype):
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(*s, generator=generator).to(dtype) for s in ((7, 5), (5, 3)))
    return left, right


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_the_sum_is_that_of_exact_numbers(dtype):
    left, right = factors(dtype)
    wide = torch.promote_types(dtype, torch.float32)
    total = torch.full((7, 3), 0.5, dtype=wide)
    add_product(total, left, right)
    expected = 0.5 + left.double() @ right.double()
    # A product in half precision is rounded once, to 8 bits or 11; the sum is not.
    torch.testing.assert_close(total.double(), expected, rtol=2**-7, atol=2**-7)
    assert total.dtype == wide


def test_a_hundred_small_products_are_not_lost_in_a_large_sum():
    """In bfloat16, 256 + 0.5 is 256."""
    left, right = torch.full((1, 1), 0.5).bfloat16(), torch.ones(1, 1).bfloat16()
    total = torch.full((1, 1), 256.0)
    for _ in range(100):
        add_product(total, left, right)
    assert total.item() == 306


def test_a_processor_keeps_to_pieces():
    assert not writes_float32("cpu", torch.bfloat16)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_float32_needs_nobodys_help(dtype):
    assert not writes_float32("meta", dtype)


def test_a_device_that_cannot_is_asked_once_and_then_spared(monkeypatch):
    """As torch was, and as some devices are: then one product, rounded as a processor rounds it."""
    asked = []

    def refuse(*given, **settings):
        asked.append(settings)
        raise NotImplementedError("no such operation")

    writes_float32.cache_clear()
    monkeypatch.setattr(products.torch, "mm", refuse)
    total, (left, right) = torch.empty(7, 3, device="meta"), factors(torch.bfloat16)
    for _ in range(2):
        add_product(total, left.to("meta"), right.to("meta"))
    writes_float32.cache_clear()
    assert len(asked) == 1
