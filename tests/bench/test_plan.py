"""A plan is its bill, divided among GPUs, and longer where the network is too slow."""

import math
from dataclasses import replace

import pytest

from kdlib.bench.costs import CACHES, LLAMA_3_1B, LLAMA_3_8B, Assumptions, bills
from kdlib.bench.plan import BESIDE, plan

RUN = Assumptions(teacher=LLAMA_3_8B, student=LLAMA_3_1B, tokens=1e11, gpus=64)
NAMES = (BESIDE, *CACHES)


@pytest.mark.parametrize("gpus", [1, 64])
@pytest.mark.parametrize("name", NAMES)
def test_without_a_network_it_is_the_bill(name, gpus):
    a = replace(RUN, gpus=gpus, link=math.inf, passes=3)
    bill, made = bills(a)[name], plan(a, name)
    assert made.hours == pytest.approx(bill.gpu_hours / gpus)
    assert made.price == pytest.approx(bill.dollars)
    assert made.stored_bytes == bill.stored_bytes
    assert made.waiting == pytest.approx(0)


def test_one_gpu_by_hand():
    """8.03e9 parameters less the table of 128,256 x 4096 that is looked up; 1.24e9, tied."""
    a = replace(RUN, gpus=1, attended=0.0)
    asking = 2 * (8_030_261_248 - 128_256 * 4096 - 65 * 4096) / (989e12 * 0.5)
    learning = 6 * (1_235_814_400 - 33 * 2048) / (989e12 * 0.4) + 10 * 128_256 * 4 / 3.35e12
    made = plan(a, BESIDE)
    assert made.hours == pytest.approx(1e11 * (asking + learning) / 3600, rel=1e-6)
    assert made.price == pytest.approx(2.5 * made.hours)
    assert made.gpu_bytes == pytest.approx(2 * 8_030_261_248 + 16 * 1_235_814_400)


@pytest.mark.parametrize("sharded", [True, False])
def test_a_slow_network_is_waited_for(sharded):
    """All-reduce: every gradient goes round twice, but for a GPU's own part."""
    a = replace(RUN, link=1e9)
    made = plan(a, "sampled", sharded)
    turns = 3 if sharded else 2
    step = turns * 2 * LLAMA_3_1B.parameters * 63 / 64 / 1e9
    learning = 1e11 / (64 * 8192) * step / 3600
    assert made.hours == pytest.approx(bills(a)["sampled"].teacher_hours / 64 + learning)
    assert 0 < made.waiting < 1
    assert made.price > plan(replace(a, link=1e12), "sampled", sharded).price


def test_sharing_divides_the_memory_and_a_cache_needs_one_model_at_a_time():
    whole, shared = plan(RUN, BESIDE), plan(RUN, BESIDE, sharded=True)
    assert shared.gpu_bytes == pytest.approx(whole.gpu_bytes / 64)
    assert plan(RUN, "top-k").gpu_bytes == 16 * LLAMA_3_1B.parameters


@pytest.mark.parametrize("name", CACHES)
def test_who_fills_a_cache_without_a_network_has_the_teacher_whole(name):
    """Its pass is planned without any traffic, so nothing of it can be collected from others."""
    made = plan(replace(RUN, link=math.inf), name, sharded=True)
    assert made.gpu_bytes == 2 * LLAMA_3_8B.parameters


def test_another_way_is_refused_by_name():
    with pytest.raises(ValueError, match="name is 'no teacher'; it must be one of teacher beside"):
        plan(RUN, "no teacher")
