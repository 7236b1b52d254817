"""A step's number says everything about it."""

import math

import pytest
import torch

from kdlib.errors import UserError
from kdlib.training.schedule import FINAL_LEARNING_RATE, Training, learning_rate, rows_of_step


def test_every_epoch_reads_every_block_once():
    rows = torch.cat([rows_of_step(step, 20, 8, seed=3) for step in range(5)])
    first, second = rows[:20], rows[20:]
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(20))
    assert first.tolist() != second.tolist()
    assert torch.equal(rows[:8], rows_of_step(0, 20, 8, seed=3))
    assert not torch.equal(rows[:8], rows_of_step(0, 20, 8, seed=4))


def test_batch_larger_than_the_data_repeats_it():
    assert sorted(rows_of_step(0, 3, 6, 0).tolist()) == [0, 0, 1, 1, 2, 2]


def test_learning_rate_rises_then_falls():
    training = Training(steps=100, learning_rate=1.0, warmup=0.1)
    rates = [learning_rate(step, training) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == rates[10] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[55] == pytest.approx((1 + FINAL_LEARNING_RATE) / 2)
    assert FINAL_LEARNING_RATE < rates[-1] < FINAL_LEARNING_RATE + 0.001


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0}, {"batch": 0}, {"gradient_accumulation": 3}, {"learning_rate": 0.0}, {"clip": -1.0},
        {"learning_rate": math.nan}, {"weight_decay": -0.1}, {"warmup": 1.0}, {"validate_every": 0},
    ],
)  # fmt: skip
def test_impossible_training_is_refused_by_name(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        Training(**{"steps": 5, **wrong})


def test_an_epoch_is_shuffled_once(monkeypatch):
    shuffled = []
    draw = torch.randperm
    monkeypatch.setattr(
        torch, "randperm", lambda *args, **how: shuffled.append(1) or draw(*args, **how)
    )
    for step in range(10):  # 80 rows of 30: three epochs, of which two steps read two
        rows_of_step(step, 30, 8, seed=11)
    assert len(shuffled) == 3
