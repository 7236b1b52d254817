"""The loop on a model small enough to check by hand."""

import dataclasses
import math
import os
import signal

import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file
from torch import nn

from kdlib.data.blocks import Blocks
from kdlib.errors import UserError
from kdlib.losses.alignment import next_token
from kdlib.losses.distillation import distillation_loss
from kdlib.losses.objectives import Objective
from kdlib.teachers.base import TeacherTargets
from kdlib.training import loop
from kdlib.training.checkpoint import load_checkpoint, safe_open
from kdlib.training.phase import Diverged, Interrupted, Phase
from kdlib.training.run_folder import CHECKPOINT, Metrics
from kdlib.training.schedule import Training, make_optimizer, rows_of_step
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

    def forward(self, input_ids):
        return Output(self.dropout(self.table(input_ids)) * self.gain)


@pytest.fixture(scope="module")
def accelerator():
    return Accelerator(cpu=True)


@pytest.fixture
def blocks():
    ids = torch.randint(0, VOCABULARY, (20, BLOCK + 1), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[-1, 5:] = 0
    mask[3, 2:] = 0  # so that micro-batches hold different numbers of tokens
    return Blocks(ids, mask, bytes=1000)


@pytest.fixture
def phase(tmp_path):
    return Phase("student", tmp_path, "run1", seed=0)


class Targets(TeacherTargets):
    """What a function of (rows, ids) says."""

    def __init__(self, function):
        self.function = function

    def __call__(self, rows, ids):
        return self.function(rows, ids)


def run(model, blocks, training, phase, accelerator, objective=LABELS, teacher=None):
    task = Task(blocks, blocks, objective, training, teacher)
    return loop.train(model, task, phase, accelerator)


def weights(model):
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def assert_bit_equal(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_one_step_is_the_gradient_of_the_mean_over_all_counted_tokens(blocks, phase, accelerator):
    """Against AdamW's first step computed here: the mean over the global batch, decay, warm-up."""
    training = Training(steps=1, batch=8, learning_rate=0.1, warmup=0, clip=1e9)
    model, expected = Bigram(), Bigram()
    run(model, blocks, training, phase, accelerator)

    rows = rows_of_step(0, len(blocks), 8, 0)
    logits, labels, mask = next_token(
        expected(blocks.ids[rows]).logits, blocks.ids[rows], blocks.mask[rows]
    )
    mean = nn.functional.cross_entropy(logits[mask], labels[mask])
    mean.backward()
    for name, parameter in expected.named_parameters():
        decay = 0.1 if parameter.ndim > 1 else 0.0
        step = parameter.grad / (parameter.grad.abs() + 1e-8)  # Adam's first step: sign-like
        wanted = parameter * (1 - 0.1 * decay) - 0.1 * step
        assert torch.allclose(dict(model.named_parameters())[name], wanted, atol=1e-6)
    assert Metrics(phase.folder).rows()[0]["loss"] == pytest.approx(mean.item(), rel=1e-6)


@pytest.mark.parametrize("accumulate", [2, 4, 8])
def test_accumulation_changes_nothing(blocks, phase, accelerator, accumulate):
    whole, split = Bigram(), Bigram()
    training = Training(steps=6, batch=8, learning_rate=0.05)
    run(whole, blocks, training, phase, accelerator)
    run(
        split,
        blocks,
        dataclasses.replace(training, gradient_accumulation=accumulate),
        dataclasses.replace(phase, name="b"),
        accelerator,
    )
    for name, parameter in weights(whole).items():
        # Sums in another order differ in the last float32 digits, which Adam's division enlarges.
        assert torch.allclose(parameter, weights(split)[name], atol=1e-4)


def test_distillation_reaches_the_teacher(blocks, phase, accelerator):
    teacher, student = Bigram(seed=1), Bigram(seed=2)
    training = Training(steps=300, batch=8, learning_rate=0.1, weight_decay=0.0)
    pure = Objective.from_alpha(1.0)
    with torch.no_grad():
        logits = teacher(blocks.ids).logits
    run(
        student, blocks, training, phase, accelerator, pure, Targets(lambda rows, ids: logits[rows])
    )
    loss = distillation_loss(student(blocks.ids).logits, logits, objective=pure)
    assert loss.mean < 1e-3
    assert Metrics(phase.folder).rows()[0]["distillation"] > 0.5


def stop_after(monkeypatch, step):
    """Send this process SIGINT while it takes the given step, as Ctrl-C would."""
    real = loop.rows_of_step

    def rows(current, *arguments):
        if current == step:
            os.kill(os.getpid(), signal.SIGINT)
        return real(current, *arguments)

    monkeypatch.setattr(loop, "rows_of_step", rows)
    return lambda: monkeypatch.setattr(loop, "rows_of_step", real)


@pytest.mark.parametrize("step", [0, 13, 29])
def test_interrupted_and_resumed_is_bit_equal(blocks, tmp_path, accelerator, monkeypatch, step):
    training = Training(steps=40, batch=8, learning_rate=0.05, checkpoint_every=10)
    straight = Bigram(dropout=0.3)
    for name in "ab":
        (tmp_path / name).mkdir()
    run(straight, blocks, training, Phase("student", tmp_path / "a", "r", 0), accelerator)

    broken = Phase("student", tmp_path / "b", "r", 0)
    restore = stop_after(monkeypatch, step)
    with pytest.raises(Interrupted, match=f"after step {step + 1} of 40"):
        run(Bigram(dropout=0.3), blocks, training, broken, accelerator)
    restore()
    torch.rand(100)  # other work between the two halves draws from the same generator
    resumed = Bigram(seed=5, dropout=0.3)
    run(resumed, blocks, training, broken, accelerator)
    assert_bit_equal(weights(straight), weights(resumed))
    steps = [row["step"] for row in Metrics(broken.folder).rows()]
    assert steps == sorted(set(steps)) and steps[-1] == 40


def test_nan_stops_the_run_and_keeps_the_last_good_checkpoint(blocks, phase, accelerator):
    training = Training(steps=40, batch=8, learning_rate=0.05, checkpoint_every=10)
    calls = []

    def poisoned(rows, ids):
        calls.append(1)
        logits = torch.zeros(*ids.shape, VOCABULARY)
        return logits * math.nan if len(calls) == 25 else logits

    with pytest.raises(Diverged, match=r"nan at step 25, learning rate \d") as caught:
        run(
            Bigram(),
            blocks,
            training,
            phase,
            accelerator,
            Objective.from_alpha(0.5),
            Targets(poisoned),
        )
    assert "kept" in str(caught.value)
    saved = load_file(phase.folder / CHECKPOINT)
    assert all(t.isfinite().all() for name, t in saved.items() if t.is_floating_point())


def test_checkpoint_of_another_run_is_refused(blocks, phase, accelerator):
    training = Training(steps=2, batch=8)
    run(Bigram(), blocks, training, phase, accelerator)
    with pytest.raises(UserError, match="belongs to another run"):
        run(Bigram(), blocks, training, dataclasses.replace(phase, run="run2"), accelerator)


def test_checkpoint_of_another_phase_is_not_ours(blocks, phase, accelerator):
    training = Training(steps=2, batch=8)
    run(Bigram(), blocks, training, phase, accelerator)
    model = Bigram()
    optimizer = make_optimizer(model, training)
    other = dataclasses.replace(phase, name="other")
    assert load_checkpoint(other, model, optimizer) is None


@pytest.mark.parametrize("damage", ["truncated", "foreign", "other model"])
def test_damaged_checkpoint_is_named(blocks, phase, accelerator, damage):
    training = Training(steps=2, batch=8)
    run(Bigram(), blocks, training, phase, accelerator)
    path = phase.folder / CHECKPOINT
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "foreign":
        save_file({"a": torch.zeros(1)}, path)
    else:
        tensors = load_file(path) | {"model.gain": torch.zeros(3)}
        with safe_open(path, "pt") as file:
            save_file(tensors, path, file.metadata())
    with pytest.raises(UserError, match=r"checkpoint: .*checkpoint\.safetensors"):
        run(Bigram(), blocks, training, phase, accelerator)


def test_what_comes_next_is_told_one_step_ahead(blocks, phase, accelerator):
    """Targets that are read from disk can be read while the step before is computed."""
    asked, expected = [], []

    class OnDisk(TeacherTargets):
        reads_ahead = True

        def __call__(self, rows, ids):
            asked.append(rows.tolist())
            return Bigram()(ids).logits

        def prefetch(self, rows):
            expected.append(rows.tolist())

    training = Training(5, batch=4)
    run(Bigram(), blocks, training, phase, accelerator, Objective.from_alpha(1.0), OnDisk())
    assert len(asked) == 5
    assert expected == asked[1:]


def test_a_log_file_is_not_flooded_by_the_bar(blocks, phase, accelerator, capfd):
    """A terminal shows every tenth step; a file gets the beginning, the end and little between."""
    run(Bigram(), blocks, Training(steps=300, batch=2), phase, accelerator)
    written = capfd.readouterr().err
    assert "300/300" in written and "loss=" in written
    assert written.count("\r") < 5
