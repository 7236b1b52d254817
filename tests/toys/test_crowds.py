"""Crowds of languages: the same visits as one at a time, and draws that follow them."""

import torch

from kdlib.toys.crowds import visits, written
from kdlib.toys.worlds import random_world, story_world


def test_visits_are_those_of_each_language_alone():
    worlds = [random_world("a b c .", seed) for seed in range(4)]
    for world in worlds:
        assert world.eos_id == worlds[0].eos_id
    rows = torch.stack([world.log_rows() for world in worlds])
    for length in (1, 2, 7):
        together = visits(rows, length, worlds[0].eos_id)
        alone = torch.stack([world.visits(length=length) for world in worlds])
        assert torch.allclose(together, alone)


def test_visits_have_the_gradient_of_one_language():
    world = story_world().smoothed(0.01)
    logits = world.log_rows().clone().requires_grad_()
    weights = torch.arange(len(logits), dtype=torch.float64)
    total = (visits(logits.log_softmax(-1), 3, world.eos_id) * weights).sum()
    (gradient,) = torch.autograd.grad(total, logits)
    moved = logits.detach().clone()
    moved[2, 1] += 1e-6
    after = (visits(moved.log_softmax(-1), 3, world.eos_id) * weights).sum()
    assert abs((after - total) / 1e-6 - gradient[2, 1]) < 1e-4


def test_drawn_texts_follow_the_visits():
    world = story_world().smoothed(0.05)
    rows = torch.stack([world.log_rows(), world.log_rows().flip(1).log_softmax(-1)])
    draws = torch.Generator().manual_seed(0)
    texts = 20_000
    counts = written(rows, texts, 9, draws, world.eos_id) / texts
    expected = visits(rows, 9, world.eos_id)
    # A count is a sum of bounded draws: five standard errors of its mean.
    error = 5 * (expected * 9).sqrt() / texts**0.5
    assert ((counts - expected).abs() < error + 1e-3).all()


def test_each_text_begins_once():
    world = story_world().smoothed(0.05)
    counts = written(world.log_rows()[None], 50, 6, torch.Generator().manual_seed(1), world.eos_id)
    assert counts[0, world.eos_id] == 50
