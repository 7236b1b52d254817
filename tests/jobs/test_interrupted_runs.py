"""The tiny recipe stopped on its way: killed, signalled, resumed, and bit for bit the same."""

import shutil
import signal
from pathlib import Path

import pytest
import torch
from forked import kdlib, start
from safetensors.torch import load_file

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def uninterrupted(quick, tmp_path_factory):
    folder = tmp_path_factory.mktemp("straight") / "run"
    done = kdlib("distill", "tiny", "--out", folder, *quick)
    assert done.code == 0, done.err
    return folder


def weights(folder):
    return {
        (name, key): tensor
        for name in ("student", "control_equal_steps")
        for key, tensor in load_file(folder / name / "model.safetensors").items()
    }


def logged_steps(folder, phase):
    path = Path(folder) / "metrics.jsonl"
    return path.read_text().count(f'"phase": "{phase}"') if path.exists() else 0


@pytest.fixture(scope="module")
def killed(quick, tmp_path_factory):
    """killed(phase): a copy of a run that was killed in it."""
    folders = {}

    def in_phase(phase, folder):
        if phase not in folders:
            folders[phase] = tmp_path_factory.mktemp(phase) / "run"
            command = start("distill", "tiny", "--out", folders[phase], *quick)
            command.wait_for(lambda: logged_steps(folders[phase], phase) >= 2)
            assert command.strike(signal.SIGKILL).code == -signal.SIGKILL
            assert not (folders[phase] / "report.json").exists()
        return shutil.copytree(folders[phase], folder)

    return in_phase


@pytest.mark.parametrize("phase", ["student", "control_equal_steps"])
def test_killed_and_resumed_is_bit_equal(uninterrupted, killed, quick, tmp_path, phase):
    folder = killed(phase, tmp_path / "run")
    done = kdlib("distill", "tiny", "--out", folder, *quick, "--resume")
    assert done.code == 0, done.err
    straight, resumed = weights(uninterrupted), weights(folder)
    assert straight.keys() == resumed.keys()
    assert all(torch.equal(straight[key], resumed[key]) for key in straight)
    assert logged_steps(folder, phase) == logged_steps(uninterrupted, phase)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_saves_and_says_how_to_go_on(quick, tmp_path, number):
    folder = tmp_path / "run"
    command = start("distill", "tiny", "--out", folder, *quick)
    command.wait_for(lambda: logged_steps(folder, "student") >= 1)
    done = command.strike(number)
    assert done.code == 130
    assert "Traceback" not in done.err
    last = done.err.strip().splitlines()[-1]
    assert "go on with: kdlib distill tiny" in last and "--resume" in last
    assert (folder / "checkpoint.safetensors").exists()


def test_a_file_in_a_models_place_is_refused_before_the_training(killed, quick, tmp_path):
    folder = killed("student", tmp_path / "run")
    (folder / "control_equal_steps").write_text("mine")
    done = kdlib("distill", "tiny", "--out", folder, *quick, "--resume")
    assert (done.code, done.out) == (2, "")
    assert done.err.endswith(
        "control_equal_steps is a file, where a model is to be; move it away\n"
    )
    assert (folder / "control_equal_steps").read_text() == "mine"


def test_an_empty_folder_in_a_models_place_is_no_finished_model(killed, quick, tmp_path):
    folder = killed("student", tmp_path / "run")
    (folder / "control_equal_steps").mkdir()
    done = kdlib("distill", "tiny", "--out", folder, *quick, "--resume")
    assert done.code == 0, done.err


def test_damaged_checkpoint_is_refused_and_kept(killed, quick, tmp_path):
    folder = killed("student", tmp_path / "run")
    path = folder / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    done = kdlib("distill", "tiny", "--out", folder, *quick, "--resume")
    assert done.code == 2
    assert "checkpoint.safetensors is damaged" in done.err and "Traceback" not in done.err
    assert path.stat().st_size == 1000
