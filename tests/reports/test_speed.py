"""Speed by a clock that the test winds: who is timed, in which order, and which turn counts."""

from types import SimpleNamespace

import pytest
import torch
from accelerate import Accelerator
from torch import nn

from kdlib.data.blocks import Blocks
from kdlib.reports import speed
from kdlib.reports.speed import tokens_per_second


class Clock:
    """It stands still, but for what the models take."""

    def __init__(self):
        self.now = 1000.0
        self.turns = []

    def perf_counter(self):
        return self.now


class Model(nn.Module):
    """It takes the seconds that are written down for its passes, one after another."""

    def __init__(self, name, clock, seconds):
        super().__init__()
        self.name, self.clock, self.seconds = name, clock, iter(seconds)
        self.shapes = set()

    def forward(self, input_ids, use_cache):
        assert not use_cache and not torch.is_grad_enabled()
        self.clock.turns.append(self.name)
        self.clock.now += next(self.seconds)
        self.shapes.add(tuple(input_ids.shape))


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(speed, "time", clock)
    monkeypatch.setattr(speed, "LEAST_TURNS", 3)
    monkeypatch.setattr(speed, "ENOUGH", 0.0)
    return clock


def text(blocks=40, length=128):
    ids = torch.arange(blocks * length).view(blocks, length)
    return Blocks(ids, torch.ones_like(ids), bytes=1)


def measure(clock, blocks=None, **seconds):
    models = {name: Model(name, clock, times) for name, times in seconds.items()}
    texts = dict.fromkeys(models, blocks or text())
    return tokens_per_second(models, texts, Accelerator(cpu=True)), models


def test_the_fastest_turn_counts(clock):
    found, _ = measure(clock, one=[50, 4, 2, 8], other=[50, 16, 4, 4])
    assert found == {"one": 2048 / 2, "other": 2048 / 4}


@pytest.mark.parametrize("warming_up", [0.001, 1000.0])
def test_the_first_pass_does_not_count(clock, warming_up):
    found, _ = measure(clock, one=[warming_up, 4, 2, 8])
    assert found["one"] == 2048 / 2


def test_all_take_turns(clock):
    """So that a clock that slows down slows all alike."""
    measure(clock, a=[1] * 4, b=[1] * 4, c=[1] * 4)
    assert clock.turns == ["a", "b", "c"] * 4


def test_small_models_have_more_turns_but_not_for_ever(clock, monkeypatch):
    """Their passes are over so soon that a few of them may all be disturbed."""
    monkeypatch.setattr(speed, "ENOUGH", 5.0)
    monkeypatch.setattr(speed, "MOST_TURNS", 8)
    measure(clock, large=[2] * 4)
    measure(clock, small=[0.5] * 9)
    assert clock.turns == ["large"] * 4 + ["small"] * 9


def test_a_slow_spell_hits_nobody_alone(clock):
    """The machine is ten times slower for a while, which would halve whoever ran then."""
    found, _ = measure(clock, one=[2, 20, 2, 2], other=[2, 20, 20, 2])
    assert found["one"] == found["other"]


def test_a_short_text_is_read_several_times(clock):
    found, models = measure(clock, text(blocks=3, length=100), one=[1] * 4)
    assert models["one"].shapes == {(20, 100)} and found["one"] == 2000


def test_a_block_longer_than_a_pass_is_read_whole(clock):
    found, _ = measure(clock, text(blocks=2, length=5000), one=[1] * 4)
    assert found["one"] == 5000


def test_each_model_reads_its_own_text(clock):
    """A teacher with another tokenizer has other blocks."""
    models = {name: Model(name, clock, [1] * 4) for name in ("teacher", "student")}
    texts = {"teacher": text(length=64), "student": text(length=128)}
    tokens_per_second(models, texts, Accelerator(cpu=True))
    assert models["teacher"].shapes == {(32, 64)} and models["student"].shapes == {(16, 128)}


def test_a_gpu_has_finished_before_the_clock_is_read(clock, monkeypatch):
    """What a pass has queued is paid for when one waits for it."""
    queued = []

    def synchronize():
        clock.now += sum(queued)
        queued.clear()

    monkeypatch.setattr(torch.accelerator, "synchronize", synchronize)
    gpu = SimpleNamespace(device=torch.device("cuda"), autocast=Accelerator(cpu=True).autocast)
    monkeypatch.setattr(speed, "_batch", lambda blocks, accelerator: torch.zeros(4, 5))
    queue = nn.Module()
    queue.forward = lambda input_ids, use_cache: queued.append(3)
    assert tokens_per_second({"one": queue}, {"one": text()}, gpu) == {"one": 20 / 3}
