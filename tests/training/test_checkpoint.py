"""A checkpoint is whole, of this run and phase, and says what was written; or it is refused."""

import dataclasses
import threading

import pytest
import torch
from bigram_runs import Bigram, run
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from kdlib import files
from kdlib.errors import UserError
from kdlib.training import checkpoint
from kdlib.training.background import Background
from kdlib.training.checkpoint import Position, load_checkpoint, save_checkpoint
from kdlib.training.run_folder import CHECKPOINT
from kdlib.training.schedule import Training, make_optimizer

TRAINING = Training(steps=2, batch=8)


@pytest.fixture
def path(blocks, phase, accelerator):
    """The checkpoint of a finished phase."""
    run(Bigram(), blocks, TRAINING, phase, accelerator)
    return phase.folder / CHECKPOINT


def load(phase):
    model = Bigram()
    return load_checkpoint(phase, model, make_optimizer(model, TRAINING))


def rewrite(path, tensors=None, metadata=None):
    """The same file, but for these."""
    with safe_open(path, "pt") as file:
        metadata = file.metadata() | (metadata or {})
    save_file(load_file(path) | (tensors or {}), path, metadata)


def test_it_tells_how_far_the_phase_has_come(path, phase):
    rewrite(path)
    assert load(phase).step == TRAINING.steps


def test_checkpoint_of_another_run_is_refused(path, phase):
    with pytest.raises(UserError, match="belongs to another run"):
        load(dataclasses.replace(phase, run="run2"))


def test_checkpoint_of_another_phase_is_not_ours(path, phase):
    assert load(dataclasses.replace(phase, name="other")) is None


def truncated(path):
    path.write_bytes(path.read_bytes()[:-100])


def foreign(path):
    save_file({"a": torch.zeros(1)}, path)


def with_a_number_changed(path):
    gain = load_file(path)["model.gain"]
    gain.view(torch.uint8)[0] ^= 1
    rewrite(path, {"model.gain": gain})


def with_the_bits_read_as_integers(path):
    rewrite(path, {"model.gain": load_file(path)["model.gain"].view(torch.int32)})


def with_rows_for_columns(path):
    table = load_file(path)["optimizer.0.exp_avg"]
    rewrite(path, {"optimizer.0.exp_avg": table.reshape(1, -1)})


def without_its_hash(path):
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    del metadata["sha256"]
    save_file(load_file(path), path, metadata)


DAMAGE = (
    truncated,
    foreign,
    with_a_number_changed,
    with_the_bits_read_as_integers,
    with_rows_for_columns,
    without_its_hash,
)


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_checkpoint_is_named(path, phase, damage):
    damage(path)
    with pytest.raises(UserError, match=r"checkpoint: .*checkpoint\.safetensors"):
        load(phase)


@pytest.mark.parametrize(
    "changed",
    [{"run": "run2"}, {"phase": "other"}, {"step": "1"}, {"seconds": "0.0"}, {"more": "1"}],
    ids=str,
)
def test_what_it_says_of_itself_is_in_its_checksum(path, phase, changed):
    rewrite(path, metadata=changed)
    with pytest.raises(UserError, match=r"checkpoint: .*damaged \(its hash differs\)"):
        load(phase)


def test_a_full_disk_keeps_the_last_one(path, phase, monkeypatch):
    """It is told only when the content is to be on the disk: before that, memory had taken it."""

    def full(descriptor):
        raise OSError("disk full")

    before = path.read_bytes()
    model = Bigram(seed=1)
    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(UserError, match=r"disk: .*checkpoint\.safetensors cannot be written"):
        save_checkpoint(phase, model, make_optimizer(model, TRAINING), Position(3, 1.0))
    assert path.read_bytes() == before
    assert not list(phase.folder.glob(".*")), "no draft that fills the disk"


def moved(model):
    """What a step does to the weights: in place."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)


def test_in_the_background_it_holds_its_moment(phase, monkeypatch):
    """The steps go on while it is written, and the next one waits for it."""
    go, write, done = threading.Event(), checkpoint._write, []

    def slow(*given):
        assert go.wait(60)
        write(*given)
        done.append(given[-1].step)

    monkeypatch.setattr(checkpoint, "_write", slow)
    model = Bigram(seed=1)
    optimizer = make_optimizer(model, TRAINING)
    first = [parameter.detach().clone() for parameter in model.parameters()]
    with Background() as background:
        save_checkpoint(phase, model, optimizer, Position(1, 1.0), background)
        assert not done and not phase.checkpoint.exists()
        moved(model)
        go.set()
        save_checkpoint(phase, model, optimizer, Position(2, 2.0), background)
        assert done[0] == 1
        moved(model)
    assert done == [1, 2]
    restored = Bigram()
    assert load_checkpoint(phase, restored, make_optimizer(restored, TRAINING)).step == 2
    for one, other in zip(restored.parameters(), first, strict=True):
        assert torch.equal(one, other + 1)


@pytest.mark.parametrize("ended", [None, KeyError("the training's own")])
def test_an_error_in_the_background_is_never_lost(path, phase, monkeypatch, ended):
    def full(descriptor):
        raise OSError("disk full")

    before = path.read_bytes()
    model = Bigram(seed=1)
    monkeypatch.setattr(files.os, "fsync", full)
    refusal = r"disk: .*checkpoint\.safetensors cannot be written"
    with pytest.raises(UserError, match=refusal), Background() as background:
        save_checkpoint(phase, model, make_optimizer(model, TRAINING), Position(3, 1.0), background)
        if ended is not None:
            raise ended
    assert path.read_bytes() == before


def test_the_next_piece_of_work_tells_of_the_last_ones_error():
    def fail():
        raise OSError("first")

    with Background() as background:
        background.run(fail)
        with pytest.raises(OSError, match="first"):
            background.run(lambda: None)
