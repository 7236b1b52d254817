"""Bytes of live tensors: made, shared, freed, and kept for a backward pass."""

import torch

from kdlib.bench.live import LiveBytes, peak_bytes

KILO = 250  # numbers of float32 that take 1000 bytes


def test_what_lives_at_once_counts_and_what_is_gone_does_not():
    with LiveBytes() as live:
        first = torch.zeros(KILO)
        second = torch.zeros(KILO)
        assert live.held == 2000
        del first
        assert (live.held, live.peak) == (1000, 2000)
        third = torch.zeros(KILO)
        assert (live.held, live.peak) == (2000, 2000)
        del second, third
    assert live.held == 0


def test_memory_that_is_shared_counts_once():
    before = torch.zeros(10, KILO)
    with LiveBytes() as live:
        view = before[3]
        before.add_(1)
        assert live.held == 0
        own = view * 2
        total = own.reshape(5, 50)[0].sum()
        assert live.peak == live.held == own.nbytes + total.nbytes == 1004
    with LiveBytes() as live:
        parts = torch.split(torch.ones(4, KILO) + 0, 2)
        assert len(parts) == 2 and live.held == 4000


def test_what_autograd_keeps_is_seen():
    weight = torch.ones(KILO, requires_grad=True)
    with LiveBytes() as live:
        loss = weight.exp().exp().sum()
        kept = live.held
        loss.backward()
        del loss
    assert kept == 2004  # both exponentials are needed for the gradient
    assert live.held == 1000  # the gradient


def test_the_peak_of_a_function():
    assert peak_bytes(lambda: (torch.zeros(KILO) + 1) * 2) == 2000
    assert peak_bytes(lambda: None) == 0
