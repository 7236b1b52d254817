"""A tracker is told what the log is told, and goes on where the log goes on."""

import dataclasses
import importlib.util
import itertools
import json
import sys
from types import SimpleNamespace

import pytest
from bigram_runs import Bigram, run
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from kdlib.errors import UserError
from kdlib.training import loop, trackers
from kdlib.training.metrics import Metrics
from kdlib.training.phase import Interrupted, Phase
from kdlib.training.schedule import Training

TRAINING = Training(steps=20, batch=4, checkpoint_every=6, validate_every=8)


@pytest.fixture
def phase(tmp_path):
    return Phase("seed_1/student", tmp_path, "run1", seed=0, log_to="tensorboard")


def curves(folder):
    """What TensorBoard shows: the points (step, value) of each curve."""
    shown = EventAccumulator(str(folder))
    shown.Reload()
    return {
        tag: [(point.step, point.value) for point in shown.Scalars(tag)]
        for tag in shown.Tags()["scalars"]
    }


def logged(phase):
    """The same of metrics.jsonl."""
    found = {}
    for row in Metrics(phase.folder).rows():
        if row.pop("phase") == phase.name:
            step = row.pop("step")
            for name, value in row.items():
                found.setdefault(name, []).append((step, pytest.approx(value, rel=1e-6)))
    return found


def test_tensorboard_shows_the_curves_of_the_log(phase, blocks, accelerator):
    run(Bigram(), blocks, TRAINING, phase, accelerator)
    shown = curves(phase.folder / "log" / "seed_1" / "student")
    assert {"loss", "cross_entropy", "learning_rate", "tokens_per_second", "validation"} <= set(
        shown
    )
    assert [step for step, _ in shown["loss"]] == [6, 8, 10, 12, 16, 18, 20]
    assert shown == logged(phase)


@pytest.mark.parametrize(("every", "before"), [(6, [6, 8, 10]), (20, [8, 10])])
def test_a_run_that_goes_on_leaves_no_second_point_at_a_step(
    phase, blocks, accelerator, monkeypatch, every, before
):
    """Killed at step 11, it goes on from the checkpoint of step 6, or begins again without one."""
    training = dataclasses.replace(TRAINING, checkpoint_every=every)
    steps = itertools.count(1)
    real = loop.take_step

    class Killed(Exception):
        pass

    def killed(*rest):
        if next(steps) == 11:
            raise Killed
        return real(*rest)

    monkeypatch.setattr(loop, "take_step", killed)
    with pytest.raises(Killed):
        run(Bigram(), blocks, training, phase, accelerator)
    folder = phase.folder / "log" / "seed_1" / "student"
    assert [step for step, _ in curves(folder)["loss"]] == before
    monkeypatch.setattr(loop, "take_step", real)
    run(Bigram(), blocks, training, phase, accelerator)
    shown = curves(folder)
    assert shown == logged(phase)
    assert [step for step, _ in shown["loss"]][: len(before)] == before


def test_a_phase_without_a_tracker_leaves_nothing(tmp_path, blocks, accelerator):
    run(Bigram(), blocks, TRAINING, Phase("student", tmp_path, "run1", seed=0), accelerator)
    assert not (tmp_path / "log").exists()


def test_only_the_main_process_tells_a_tracker(phase, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setitem(trackers.MAKERS, "tensorboard", lambda *_: pytest.fail("it is not asked"))
    with trackers.tracked(phase, 0) as track:
        track({"step": 1, "loss": 2.0})
    assert list(phase.folder.iterdir()) == []


def test_a_tracker_is_closed_however_a_training_ends(phase, monkeypatch):
    told = []
    fake = SimpleNamespace(
        start=lambda: told.append("start"),
        log=lambda values, step: told.append((step, values)),
        finish=lambda: told.append("finish"),
    )
    monkeypatch.setitem(trackers.MAKERS, "tensorboard", lambda *_: fake)
    with pytest.raises(Interrupted), trackers.tracked(phase, 0) as track:
        track({"step": 3, "loss": 2.5})
        raise Interrupted
    assert told == ["start", (3, {"loss": 2.5}), "finish"]


def test_a_tracker_that_does_not_start_is_one_line(phase, monkeypatch):
    def nobody(*_):
        raise RuntimeError("nobody is logged in\nand more")

    monkeypatch.setitem(trackers.MAKERS, "tensorboard", nobody)
    with (
        pytest.raises(UserError, match="^log.to: tensorboard does not start: nobody is logged in$"),
        trackers.tracked(phase, 0),
    ):
        pass


@pytest.mark.parametrize("name", ["tensorboard", "trackio", "wandb"])
def test_a_tracker_that_is_not_installed_is_refused_by_its_package(monkeypatch, name):
    monkeypatch.setattr(importlib.util, "find_spec", lambda wanted: None)
    with pytest.raises(UserError, match=f"^log.to: {name} is not installed; pip install {name}$"):
        trackers.refuse_missing_tracker(name)
    trackers.refuse_missing_tracker("none")


# --- Packages that are not here: what they would be told ----------------------------------------


@pytest.mark.parametrize("name", ["trackio", "wandb"])
def test_a_server_finds_the_run_again_by_its_name(tmp_path, monkeypatch, name):
    """Each start of a phase gives the same name; another folder's gives another."""
    begun = []
    run = SimpleNamespace(log=lambda values, step: begun.append(step), finish=lambda: None)
    module = SimpleNamespace(init=lambda **given: begun.append(given) or run)
    monkeypatch.setitem(sys.modules, name, module)
    for folder in ("one", "one", "other"):
        (tmp_path / folder).mkdir(exist_ok=True)
        phase = Phase("seed_1/student", tmp_path / folder, "run1", seed=0, log_to=name)
        with trackers.tracked(phase, 0) as track:
            track({"step": 10, "loss": 1.0})
    first, step, again, _, other, _ = begun
    assert step == 10 and first == again and first["resume"] == "allow"
    assert first["project"] == "kdlib" and first["group"].startswith("one-")
    who = "id" if name == "wandb" else "name"
    assert first[who] != other[who] and "/" not in first.get("id", "")
    assert json.dumps({k: str(v) for k, v in first.items()})
