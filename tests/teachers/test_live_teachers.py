"""A remembered teacher says exactly what the teacher says."""

import pytest
import torch

from kdlib.data.blocks import Blocks
from kdlib.models.from_scratch import ModelSize, new_model
from kdlib.models.frozen import freeze
from kdlib.teachers import live as live_teachers


@pytest.fixture
def teacher():
    return freeze(new_model(ModelSize(16, 2, 2), 50, 64, seed=0))


@pytest.fixture
def blocks():
    ids = torch.randint(0, 50, (37, 13), generator=torch.Generator().manual_seed(0))
    return Blocks(ids, torch.ones_like(ids), bytes=1)


def test_remembered_logits_are_the_teachers(teacher, blocks):
    rows = torch.tensor([36, 0, 17, 17])
    live = live_teachers.LiveTargets(teacher)(rows, blocks.ids[rows]).logits()
    remembered = live_teachers.PrecomputedTargets(teacher, blocks)(rows, blocks.ids[rows]).logits()
    whole = teacher(input_ids=blocks.ids[rows]).logits
    assert torch.equal(live, whole)
    # Float32 products of differently sized batches may differ in the last digit.
    assert torch.allclose(live, remembered, atol=1e-6)
    assert not live.requires_grad and not remembered.requires_grad


def test_memory_follows_the_row_number_not_the_order_of_reading(teacher, blocks):
    remembered = live_teachers.PrecomputedTargets(teacher, blocks)
    rows = torch.tensor([5, 20])
    ids, back = blocks.ids[rows], blocks.ids[rows.flip(0)]
    assert torch.equal(remembered(rows, ids).hidden.flip(0), remembered(rows.flip(0), back).hidden)


def test_only_what_one_product_gives_is_remembered(teacher, blocks, monkeypatch):
    assert live_teachers.can_precompute(teacher, blocks)
    monkeypatch.setattr(live_teachers, "MEMORY_LIMIT_BYTES", 1000)
    assert not live_teachers.can_precompute(teacher, blocks)
    monkeypatch.undo()
    forward = type(teacher).forward

    def capped(self, **inputs):
        output = forward(self, **inputs)
        output.logits = output.logits.tanh()
        return output

    monkeypatch.setattr(type(teacher), "forward", capped)
    assert not live_teachers.can_precompute(teacher, blocks)
    with pytest.raises(ValueError, match="not one product"):
        live_teachers.PrecomputedTargets(teacher, blocks)
    assert isinstance(live_teachers.LiveTargets(teacher)(None, blocks.ids[:2]), torch.Tensor)


def test_what_is_remembered_has_the_precision_of_the_pass(teacher, blocks):
    """Half precision takes half the memory, and is what the same pass would give in a step."""
    half = teacher.bfloat16()
    remembered = live_teachers.PrecomputedTargets(half, blocks)
    rows = torch.arange(len(blocks))
    given = live_teachers.LiveTargets(half)(rows, blocks.ids).hidden
    assert remembered(rows, blocks.ids[rows]).hidden.dtype == given.dtype == torch.bfloat16
