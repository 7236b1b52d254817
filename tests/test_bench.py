"""The benchmark measures what it says it does. No time is asserted."""

import pytest
import torch

from kdlib.bench import loss
from kdlib.bench.loss import Size

TINY = Size(tokens=40, width=8, teacher_width=12, vocabulary=300)


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setitem(loss.SIZES, "tiny", TINY)
    # Its own process does not know of the patch, but is given the numbers.
    return loss.measure("tiny", "fp32", rounds=1)


def test_every_variant_is_measured(tiny):
    assert set(tiny["variants"]) == {"dense", "linear"}
    assert tiny["variants"]["dense"]["to_dense"] == 1
    assert tiny["floor_seconds"] > 0
    for row in tiny["variants"].values():
        assert row["to_floor"] == row["seconds"] / tiny["floor_seconds"]


def test_the_table_names_size_and_variants(tiny):
    table = loss.table(tiny)
    assert "N=40 H=8/12 V=300, fp32, cpu" in table
    assert all(name in table for name in ("floor", "dense", "linear"))


def test_variants_compute_the_same_thing():
    """So that a time is not bought with another result."""
    for dtype, bound in ((torch.float32, 1e-5), (torch.bfloat16, 2e-2)):
        for name, wrong in loss.errors(TINY, dtype).items():
            assert all(0 < error < bound for error in wrong), (name, dtype)


def test_an_error_would_be_seen(monkeypatch):
    monkeypatch.setitem(loss.VARIANTS, "off", lambda given: 1.01 * loss.dense(given))
    assert loss.errors(TINY, torch.float32)["off"] == pytest.approx([0.01] * 3, rel=1e-3)


def test_memory_of_a_variant_is_its_own():
    """One matrix of the logits is 40 MB here; the dense loss keeps several, the linear one none."""
    size = Size(tokens=2000, width=8, teacher_width=8, vocabulary=5000)
    dense, linear = (loss.extra_memory_bytes(name, size, "fp32") for name in ("dense", "linear"))
    assert dense > 3 * 4 * 2000 * 5000
    assert linear < dense / 4
