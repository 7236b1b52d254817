"""A model small enough to check by hand, and its training."""

import torch
from torch import nn

from kdlib.data.blocks import Blocks
from kdlib.losses.objectives import Objective
from kdlib.teachers.base import TeacherTargets
from kdlib.training import loop
from kdlib.training.task import Task

VOCABULARY, BLOCK = 11, 12
LABELS = Objective.from_lambda(0.0)


class Output:
    def __init__(self, logits):
        self.logits = logits


class Bigram(nn.Module):
    """Logits of the next token from the present one alone, with dropout: randomness to resume."""

    def __init__(self, seed=0, dropout=0.0):
        super().__init__()
        torch.manual_seed(seed)
        self.table = nn.Embedding(VOCABULARY, VOCABULARY)
        self.gain = nn.Parameter(torch.ones(VOCABULARY))
        self.dropout = nn.Dropout(dropout)

    def forward(self, input_ids, **more):
        return Output(self.dropout(self.table(input_ids)) * self.gain)


class Targets(TeacherTargets):
    """What a function of (rows, ids) says."""

    def __init__(self, function):
        self.function = function

    def __call__(self, rows, ids):
        return self.function(rows, ids)


def make_blocks():
    ids = torch.randint(0, VOCABULARY, (20, BLOCK + 1), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[-1, 5:] = 0
    mask[3, 2:] = 0  # so that micro-batches hold different numbers of tokens
    return Blocks(ids, mask, bytes=1000)


def run(model, blocks, training, phase, accelerator, objective=LABELS, teacher=None):
    task = Task(blocks, blocks, objective, training, teacher)
    return loop.train(model, task, phase, accelerator)


def weights(model):
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def assert_bit_equal(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
