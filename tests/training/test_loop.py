"""The loop on a model small enough to check by hand."""

import contextlib
import dataclasses
import os
import signal
from types import SimpleNamespace

import pytest
import torch
from bigram_runs import BLOCK, Bigram, Targets, assert_bit_equal, run, weights
from torch import nn

from kdlib.losses.alignment import next_token
from kdlib.losses.distillation import distillation_loss
from kdlib.losses.objectives import Objective
from kdlib.teachers.base import TeacherTargets
from kdlib.training import loop, window
from kdlib.training.metrics import Metrics
from kdlib.training.phase import Interrupted, Phase
from kdlib.training.schedule import Training, rows_of_step


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


class Drawing(Bigram):
    """Notes what it draws in each training step."""

    def __init__(self):
        super().__init__()
        self.drawn = []

    def forward(self, input_ids, **more):
        if self.training:
            self.drawn.append(torch.rand(()).item())
        return super().forward(input_ids)


def draws(rank, blocks, phase, accelerator, monkeypatch):
    """What a rank draws in the steps from the phase's checkpoint on."""
    monkeypatch.setattr(type(accelerator), "process_index", rank)
    model = Drawing()
    with contextlib.suppress(Interrupted):
        run(model, blocks, Training(steps=9, batch=8), phase, accelerator)
    return model.drawn


def test_every_rank_goes_on_with_its_own_draws(blocks, tmp_path, accelerator, monkeypatch):
    """Though the main rank alone writes the checkpoint."""
    straight = []
    for rank in (0, 1):
        (tmp_path / str(rank)).mkdir()
        phase = Phase("student", tmp_path / str(rank), "r", 0)
        straight.append(draws(rank, blocks, phase, accelerator, monkeypatch))
    assert len(set(straight[0] + straight[1])) == 2 * 9, "another draw in each step of each rank"

    restore = stop_after(monkeypatch, 4)
    broken = Phase("student", tmp_path, "r", 0)
    assert draws(0, blocks, broken, accelerator, monkeypatch) == straight[0][:5]
    restore()
    assert draws(1, blocks, broken, accelerator, monkeypatch) == straight[1][5:]


def test_it_validates_at_every_multiple_and_at_the_end(blocks, phase, accelerator, monkeypatch):
    """Whatever the steps of the log and of the checkpoint are."""
    saved, save = [], loop.save_checkpoint
    monkeypatch.setattr(
        loop,
        "save_checkpoint",
        lambda *args, **where: (saved.append(args[-1].step), save(*args, **where)),
    )
    training = Training(steps=60, batch=2, validate_every=25, checkpoint_every=16)
    run(Bigram(), blocks, training, phase, accelerator)
    rows = Metrics(phase.folder).rows()
    assert [row["step"] for row in rows if "validation" in row] == [25, 50, 60]
    assert saved == [16, 32, 48, 60]
    assert [row["step"] for row in rows] == [10, 16, 20, 25, 30, 32, 40, 48, 50, 60]


def test_only_the_steps_are_timed(blocks, phase, accelerator, monkeypatch):
    """A step takes a second; validating, logging and saving take a thousand, and count nothing."""
    now = [0.0]
    monkeypatch.setattr(window, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def takes(seconds, function):
        def slow(*args, **kwargs):
            now[0] += seconds
            return function(*args, **kwargs)

        return slow

    monkeypatch.setattr(loop, "take_step", takes(1.0, loop.take_step))
    for name in ("validation_loss", "save_checkpoint"):
        monkeypatch.setattr(loop, name, takes(1000.0, getattr(loop, name)))
    monkeypatch.setattr(loop.Metrics, "append", takes(1000.0, loop.Metrics.append))

    whole = dataclasses.replace(blocks, mask=torch.ones_like(blocks.mask))
    training = Training(steps=30, batch=2, validate_every=4, checkpoint_every=7)
    end = run(Bigram(), whole, training, phase, accelerator)
    assert (end.step, end.seconds) == (30, 30.0)
    speeds = {row["tokens_per_second"] for row in Metrics(phase.folder).rows()}
    assert speeds == {2.0 * BLOCK}


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
