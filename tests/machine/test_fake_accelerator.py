"""One training step on a GPU that is not there: nothing is left on the CPU, nothing waits.

What a fake device cannot show, `test_gpu.py` asks of a real one.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from torch.utils._python_dispatch import TorchDispatchMode

import kdlib
from kdlib.data.blocks import Blocks
from kdlib.losses.objectives import Objective
from kdlib.models.from_scratch import ModelSize, new_model
from kdlib.models.frozen import freeze
from kdlib.teachers.live import LiveTargets
from kdlib.training.schedule import Training, make_optimizer
from kdlib.training.step import StepContext, take_step
from kdlib.training.student_with_loss import StudentWithLoss
from kdlib.training.task import Task

PROGRAM = Path(__file__).parent / "fake_accelerator.py"
SOUND = ("linear", "dense", "reverse KL", "temperature 2", "evaluation")
MIXES_DEVICES = (
    "teacher on the CPU",
    "labels on the CPU",
    "mask on the CPU",
    "scratch memory on the CPU",
    "parameter on the CPU",
)
NEEDS_A_NUMBER = ("a number read", "rows picked by a mask")
DOUBLES = ("a loss in float64", "scores in float64")
WAITS = ("index on the CPU", "buffer on the CPU", "a copy that waits", "a copy back")


@pytest.fixture(scope="module")
def outcomes():
    """A process of its own, since a backend that is registered stays."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, PROGRAM], capture_output=True, text=True, check=True, env=environment
    )
    return json.loads(done.stdout)


def test_the_step_was_taken_on_the_device(outcomes):
    assert outcomes["device"] == "fake:0"


@pytest.mark.parametrize("name", SOUND)
def test_a_step_stays_on_the_device_and_waits_for_nothing(outcomes, name):
    assert outcomes["sound"][name]["error"] is None
    assert outcomes["sound"][name]["waits"] == []


@pytest.mark.parametrize("name", SOUND)
def test_nothing_is_computed_in_a_format_that_not_every_gpu_knows(outcomes, name):
    assert outcomes["sound"][name]["doubles"] == []


def test_autocast_lowers_every_matrix_product(outcomes):
    """Of both models and of the loss."""
    assert outcomes["sound"]["linear"]["products"] == ["bfloat16"]


@pytest.mark.parametrize("name", MIXES_DEVICES)
def test_what_is_left_on_the_cpu_is_found(outcomes, name):
    assert outcomes["mistakes"][name]["error"] == "FakeTensorDeviceMismatchError"


@pytest.mark.parametrize("name", NEEDS_A_NUMBER)
def test_a_hidden_read_is_found(outcomes, name):
    wanted = {"DataDependentOutputException", "DynamicOutputShapeException"}
    assert outcomes["mistakes"][name]["error"] in wanted


@pytest.mark.parametrize("name", WAITS)
def test_a_copy_that_waits_is_found(outcomes, name):
    assert outcomes["mistakes"][name]["waits"]


@pytest.mark.parametrize("name", DOUBLES)
def test_float64_on_the_device_is_found(outcomes, name):
    assert outcomes["mistakes"][name]["doubles"]


def test_every_attempt_is_judged(outcomes):
    assert set(outcomes["sound"]) == set(SOUND)
    assert set(outcomes["mistakes"]) == {*MIXES_DEVICES, *NEEDS_A_NUMBER, *WAITS, *DOUBLES}


# --- What only real numbers show ----------------------------------------------------------------


def test_the_fast_roads_are_taken():
    model = new_model(ModelSize(width=16, layers=1, heads=2), 31, 16, 0)
    assert model.config._attn_implementation == "sdpa"
    assert make_optimizer(model, Training(steps=1)).defaults["fused"]


def test_nothing_is_sent_to_one_kind_of_device():
    sources = [path.read_text() for path in Path(kdlib.__file__).parent.rglob("*.py")]
    assert len(sources) > 30 and not any(".cuda()" in source for source in sources)


class Reads(TorchDispatchMode):
    """Operations whose result the processor needs before it can go on."""

    NAMES = ("_local_scalar_dense", "nonzero", "is_nonzero", "equal")

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function.overloadpacket.__name__ in self.NAMES:
            self.seen.append(str(function))
        return function(*args, **(kwargs or {}))


def reads_of_a_step(accumulate):
    """transformers treats a fake tensor unlike a real one, so its reads show on the CPU only."""
    size = ModelSize(width=16, layers=1, heads=2)
    teacher, student = freeze(new_model(size, 31, 16, 0)), new_model(size, 31, 16, 1)
    training, accelerator = (
        Training(steps=1, batch=4, gradient_accumulation=accumulate),
        Accelerator(cpu=True),
    )
    learner, targets = StudentWithLoss(student), LiveTargets(teacher)
    ids = torch.randint(0, 31, (4, 9))
    blocks = Blocks(ids, torch.ones_like(ids), bytes=100)
    optimizer = make_optimizer(student, training)
    with Reads() as reads:
        task = Task(blocks, blocks, Objective.from_alpha(0.5), training, targets)
        take_step(StepContext(learner, optimizer, task, accelerator), torch.arange(4))
    return reads.seen


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_step_reads_only_its_mask_which_is_on_the_cpu(accumulate):
    """Once to count the tokens of the batch, once a micro-batch to see whether all are real."""
    assert len(reads_of_a_step(accumulate)) == 1 + accumulate


def test_a_look_for_packed_texts_would_be_seen(monkeypatch):
    from transformers import masking_utils

    look = masking_utils.find_packed_sequence_indices
    monkeypatch.setattr("kdlib.models.heads.sys.modules", {})  # so that the look is not taken away
    assert len(reads_of_a_step(1)) == 2 + 2, "one look for each of teacher and student"
    assert masking_utils.find_packed_sequence_indices is look
