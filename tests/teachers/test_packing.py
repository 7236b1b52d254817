"""Targets survive packing: ids and draws exactly, numbers to float16."""

import math

import pytest
import torch

from kdlib.losses.sparse import KINDS, SparseTargets
from kdlib.teachers.packing import pack, unpack

POSITIONS = 31


def teacher(vocabulary, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (3 * torch.randn(POSITIONS, vocabulary, generator=generator)).log_softmax(-1)


def as_dense(targets: SparseTargets, vocabulary):
    """The weight of every token, by a loop."""
    dense = torch.zeros(len(targets.ids), vocabulary, dtype=torch.float64)
    for row, (ids, weights) in enumerate(zip(targets.ids.tolist(), targets.weights.tolist())):
        for token, weight in zip(ids, weights):
            dense[row, token] += weight
    return dense


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("vocabulary", "k"), [(9, 8), (300, 1), (300, 17), (70_000, 50)])
def test_what_is_unpacked_is_what_was_packed(kind, vocabulary, k):
    made = KINDS[kind](teacher(vocabulary), k)
    read = unpack(pack(made, kind), kind, POSITIONS, k)
    torch.testing.assert_close(
        as_dense(read, vocabulary), as_dense(made, vocabulary), atol=1e-3, rtol=1e-3
    )
    torch.testing.assert_close(read.constant, made.constant, atol=4e-3, rtol=1e-3)
    if kind == "with_tail":
        torch.testing.assert_close(read.tail, made.tail, atol=1e-30, rtol=1e-2)


def test_draws_are_exact():
    made = KINDS["sampled"](teacher(5000), 50)
    read = unpack(pack(made, "sampled"), "sampled", POSITIONS, 50)
    assert torch.equal(read.ids, made.ids)
    assert torch.equal(read.weights, made.weights)


@pytest.mark.parametrize("kind", ["top_k", "with_tail"])
@pytest.mark.parametrize("vocabulary", [21, 300])  # nothing or much beyond the 20
def test_rounded_weights_are_still_a_distribution(kind, vocabulary):
    """A weight rounded to float16 must not make a loss negative, nor a sum other than 1."""
    log_p = teacher(vocabulary)
    read = unpack(pack(KINDS[kind](log_p, 20), kind), kind, POSITIONS, 20)
    mass = read.weights.sum(-1) + (0 if read.tail is None else read.tail)
    torch.testing.assert_close(mass, torch.ones(POSITIONS), atol=1e-6, rtol=0)
    assert (read.divergence(log_p) >= -1e-6).all()


@pytest.mark.parametrize("mass", [0.999, 0.5, 3e-2, 3e-4, 1e-4, 1e-6, 1e-12, 1e-30])
def test_a_tail_of_any_size_is_kept(mass):
    """Its logarithm to float16's 11 bits: one minus rounded weights would lose a thin tail."""
    weights, tail = (1 - mass) * teacher(20).exp(), torch.full((POSITIONS,), mass)
    ids = torch.arange(20).expand(POSITIONS, 20)
    made = SparseTargets(ids, weights, torch.zeros(POSITIONS), tail)
    read = unpack(pack(made, "with_tail"), "with_tail", POSITIONS, 20)
    torch.testing.assert_close(read.tail, tail, atol=0, rtol=5e-4 * max(1, -math.log(mass)))
    # The kept tokens share what the tail leaves, so both sides of the split are right.
    total = read.weights.double().sum(-1)
    torch.testing.assert_close(total, torch.full_like(total, 1 - mass), atol=1e-6, rtol=1e-3)


def test_a_teacher_without_a_tail():
    sure = torch.full((3, 50), -torch.inf)
    sure[:, :2] = math.log(0.5)
    read = unpack(pack(KINDS["with_tail"](sure, 4), "with_tail"), "with_tail", 3, 4)
    assert not read.tail.any()
    assert read.divergence(torch.zeros(3, 50).log_softmax(-1)).isfinite().all()


def test_the_first_and_the_last_token_of_the_vocabulary():
    ids = torch.tensor([[0, 0, 0, 0], [0, 0, 7, 7], [7, 7, 7, 7]])
    made = SparseTargets(ids, torch.full((3, 4), 0.25), torch.zeros(3))
    assert torch.equal(unpack(pack(made, "sampled"), "sampled", 3, 4).ids, ids)


def test_a_sure_teacher_takes_next_to_nothing():
    sure = torch.full((POSITIONS, 1000), -torch.inf)
    sure[:, 3] = 0.0
    sizes = [len(pack(KINDS["sampled"](p, 50), "sampled")) for p in (sure, teacher(1000))]
    assert sizes[0] < POSITIONS * 2 < sizes[1]
