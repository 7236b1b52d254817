"""Models take turns on a device: who is there with whom, and that each goes back where it was."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from kdlib.machine import turns

CPU, GPU = torch.device("cpu"), torch.device("cuda")


class Traveller(nn.Module):
    """A model of so many bytes, at a place that is only written down."""

    def __init__(self, size, place=CPU):
        super().__init__()
        self.size, self.place, self.journeys = size, place, []

    def parameters(self, recurse=True):
        yield Weight(self.size, self.place)

    def to(self, place):
        self.journeys.append(place.type)
        self.place = place


class Weight:
    def __init__(self, size, place):
        self.size, self.device = size, place

    def numel(self):
        return self.size // 4

    def element_size(self):
        return 4


def test_a_model_is_on_the_device_for_a_while_and_then_where_it_was():
    away, there = Traveller(4), Traveller(4, torch.device("cuda:0"))
    with turns.on_device([away, there], GPU):
        assert away.place.type == there.place.type == "cuda"
        assert not away.training and not there.training
    assert away.journeys == ["cuda", "cpu"] and there.journeys == []


def test_it_goes_back_after_an_error_too():
    model = Traveller(4)
    with pytest.raises(KeyError), turns.on_device([model], GPU):
        raise KeyError
    assert model.place == CPU


def test_one_that_does_not_fit_leaves_none_behind():
    class TooLarge(Traveller):
        def to(self, place):
            super().to(place)
            if place.type == "cuda":
                raise torch.OutOfMemoryError

    first, second = Traveller(4), TooLarge(4)
    with pytest.raises(torch.OutOfMemoryError), turns.on_device([first, second], GPU):
        pass
    assert first.place == second.place == CPU


@given(
    sizes=st.lists(st.integers(1, 50).map(lambda words: 4 * words), max_size=8),
    teacher=st.integers(1, 50).map(lambda words: 4 * words),
    free=st.integers(0, 1000),
    is_there=st.booleans(),
)
def test_all_have_their_turn_and_as_many_together_as_fit(sizes, teacher, free, is_there):
    models = {"teacher": Traveller(teacher, GPU if is_there else CPU)}
    models |= {f"m{number}": Traveller(size) for number, size in enumerate(sizes)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(turns, "free_bytes", lambda device: free)
        found = turns.in_turns(models, "teacher", GPU)
    assert [name for turn in found for name in turn] == [f"m{i}" for i in range(len(sizes))]
    room = turns.SHARE * free - (0 if is_there else teacher)
    size = dict(zip(models, [0, *sizes]))
    for turn, following in zip(found, [*found[1:], None]):
        taken = sum(size[name] for name in turn)
        assert taken <= room or len(turn) <= 1
        assert following is None or taken + size[following[0]] > room


def test_on_a_processor_all_are_there_at_once():
    models = {name: Traveller(10**15) for name in ("teacher", "student", "control")}
    assert turns.free_bytes(CPU) == math.inf
    assert turns.in_turns(models, "teacher", CPU) == [["student", "control"]]
    assert turns.in_turns({"teacher": Traveller(4)}, "teacher", CPU) == [[]]
