"""The same seed gives the same weights, whoever else makes models."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from kdlib.models.from_scratch import ModelSize, new_model

SIZE = ModelSize(width=32, layers=1, heads=2)


@pytest.fixture
def hasty():
    """Threads that take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def make(seed):
    return torch.cat(
        [each.detach().flatten() for each in new_model(SIZE, 512, 64, seed).parameters()]
    )


def test_models_that_are_made_at_once_are_as_if_made_alone(hasty):
    torch.manual_seed(7)
    state, seeds = torch.get_rng_state(), [0, 1, 2, 3] * 8
    alone = {seed: make(seed) for seed in set(seeds)}
    with ThreadPoolExecutor(4) as four:
        at_once = [*four.map(make, seeds)]
    assert all(torch.equal(alone[seed], made) for seed, made in zip(seeds, at_once))
    assert torch.equal(torch.get_rng_state(), state)
