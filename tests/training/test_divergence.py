"""A loss or a gradient that is not finite stops the run, and never gets into a checkpoint."""

import math
import re

import pytest
import torch
from bigram_runs import Bigram, Output, run
from safetensors import safe_open
from safetensors.torch import load_file

from kdlib.training.phase import Diverged
from kdlib.training.run_folder import CHECKPOINT
from kdlib.training.schedule import Training

TRAINING = Training(steps=40, batch=8, learning_rate=0.05, checkpoint_every=10)
# The step that is spoilt, and the last checkpoint before it: in the first window and in a later one,
# in the step of a checkpoint and in the last step.
steps = pytest.mark.parametrize(("step", "kept"), [(5, 0), (20, 10), (25, 20), (40, 30)])


class Spoilt(Bigram):
    """Its logits of one step are spoilt."""

    def __init__(self, step, spoil):
        super().__init__()
        self.step, self.spoil, self.steps = step, spoil, 0

    def forward(self, input_ids, **more):
        logits = super().forward(input_ids).logits
        self.steps += self.training
        return Output(self.spoil(logits) if self.training and self.steps == self.step else logits)


def refusal(model, blocks, phase, accelerator):
    with pytest.raises(Diverged) as caught:
        run(model, blocks, TRAINING, phase, accelerator)
    assert "the last good checkpoint is kept" in str(caught.value)
    return str(caught.value)


def assert_last_good(phase, step):
    """The checkpoint is of that step, and all of it finite; for step 0 there is none."""
    path = phase.folder / CHECKPOINT
    assert path.exists() == (step > 0)
    if step:
        with safe_open(path, "pt") as file:
            assert int(file.metadata()["step"]) == step
        assert all(tensor.isfinite().all() for tensor in load_file(path).values())


def nan(logits):
    return logits * math.nan


def a_token_ruled_out(logits):
    """Where it is the label it costs infinity; the gradient is finite."""
    return logits.index_fill(-1, torch.tensor([0]), -math.inf)


@steps
@pytest.mark.parametrize(("spoil", "value"), [(nan, "nan"), (a_token_ruled_out, "inf")])
def test_a_loss_that_is_not_finite(blocks, phase, accelerator, step, kept, spoil, value):
    said = refusal(Spoilt(step, spoil), blocks, phase, accelerator)
    assert re.match(rf"loss: it became {value} at step {step}, learning rate \d", said)
    assert_last_good(phase, kept)


def with_gradient(factor):
    """The same logits, whose gradient is multiplied by that."""

    def spoil(logits):
        logits.register_hook(lambda gradient: gradient * factor)
        return logits

    return spoil


@steps
@pytest.mark.parametrize(
    ("factor", "value"),
    # The last: every entry of the gradient is finite, but their norm is not, and so clipped to 0.
    [(math.nan, "nan"), (math.inf, "(nan|inf)"), (1e30, "inf")],
)
def test_a_gradient_that_is_not_finite(blocks, phase, accelerator, step, kept, factor, value):
    """The loss of its step is finite: only the next one shows what became of the weights."""
    said = refusal(Spoilt(step, with_gradient(factor)), blocks, phase, accelerator)
    assert re.match(rf"gradient: its norm became {value} at step {step}, learning rate \d", said)
    assert_last_good(phase, kept)
