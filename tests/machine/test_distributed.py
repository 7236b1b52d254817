"""Two processes on the CPU do what one does; one that is lost costs no more than some steps.

The processes are those of `process_runs.py`; each start of them costs seconds, so runs share one.
"""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import process_runs
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from kdlib.cli import main as kdlib_main
from kdlib.machine.devices import compile_layers, make_accelerator
from kdlib.machine.distributed import (
    ProcessLost,
    any_rank,
    is_distributed,
    is_main,
    lost_ranks_named,
    run_on_main,
)
from kdlib.machine.sharding import gather_model, is_sharding, place_module
from kdlib.models.folders import load_model
from kdlib.models.from_scratch import ModelSize, new_model
from kdlib.training.checkpoint import Position, save_checkpoint
from kdlib.training.metrics import Metrics
from kdlib.training.phase import Phase
from kdlib.training.run_folder import CHECKPOINT

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
TESTS = HERE.parent
# Two processes sum their gradients in another order than one: the last digit of a float32 differs.
# Adam's division makes it 9e-7 after twelve steps; weights are up to 0.1, and move by 0.02 a step.
TOLERANCE = 1e-5


def torchrun(*arguments):
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
    ]
    path = os.pathsep.join([str(TESTS.parent), str(TESTS / "offline")])
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*command, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
    )


# --- The loop -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One process first, then two; then one goes on with what two have left."""
    folder = tmp_path_factory.mktemp("processes")
    alone = make_accelerator("cpu", "fp32")
    process_runs.run(folder / "one", alone)
    process_runs.run(folder / "one stopped", alone, stop_on=0)
    process_runs.interrupted(folder, "one", alone)
    process_runs.interrupted(folder, "one, sharding full", make_accelerator("cpu", "fp32", "full"))
    done = torchrun(HERE / "process_runs.py", "train", folder)
    assert done.returncode == 0, done.stderr[-3000:]
    process_runs.run(folder / "ddp stopped", alone)
    process_runs.run(folder / "fsdp stopped", alone)
    return folder


def distance(folder, name, first="one"):
    """Of the final weights from those of another run, one process that never stopped."""
    one, other = (load_file(folder / n / "final.safetensors") for n in (first, name))
    names = one.keys() - {"parts"}
    assert names == other.keys() - {"parts"}
    return max((one[n] - other[n]).abs().max().item() for n in names)


TWO = ["ddp", "fsdp", "fsdp remembered"]
RESUMED = {
    "ddp stopped": "two processes, then one",
    "fsdp stopped": "two with sharded weights, then one",
    "one stopped": "one, then two with sharded weights",
}


@pytest.mark.parametrize("name", TWO)
def test_two_processes_reach_the_weights_of_one(folder, name):
    assert distance(folder, name) < TOLERANCE


def test_a_student_in_parts_writes_and_learns_what_a_whole_one_does(folder):
    """Each of two processes draws for its own rows, so one process would write other texts."""
    assert distance(folder, "fsdp writes", "ddp writes") < TOLERANCE
    assert distance(folder, "ddp writes") > 100 * TOLERANCE


def test_two_processes_go_on_with_the_texts_that_lay_unread(folder):
    assert distance(folder, "ddp writes, stopped", "ddp writes") == 0
    steps = [row["step"] for row in Metrics(folder / "ddp writes, stopped").rows()]
    # The rows of step 5 are asked for early, when the fourth step begins and writes for three.
    assert steps == [4, 10, 12]


@pytest.mark.parametrize("name", TWO)
def test_two_processes_log_the_loss_of_the_whole_batch(folder, name):
    alone, together = (Metrics(folder / n).rows() for n in ("one", name))
    assert [row["step"] for row in alone] == [row["step"] for row in together]
    for quantity in ("loss", "cross_entropy", "distillation"):
        losses = [row[quantity] for row in alone]
        assert [row[quantity] for row in together] == pytest.approx(losses, abs=1e-5)
    assert together[-1]["validation"] == pytest.approx(alone[-1]["validation"], abs=1e-5)


@pytest.mark.parametrize("name", RESUMED, ids=RESUMED.values())
def test_another_number_of_processes_goes_on(folder, name):
    assert distance(folder, name) < TOLERANCE
    steps = [row["step"] for row in Metrics(folder / name).rows()]
    assert process_runs.STOP_AT + 1 in steps and steps == sorted(set(steps))


@pytest.mark.parametrize("how", process_runs.INTERRUPTIONS)
@pytest.mark.parametrize("name", ["one", "one, sharding full", "ddp", "fsdp"])
def test_what_is_done_in_the_middle_of_a_run_changes_no_weight(folder, name, how):
    """After a validation FSDP2 leaves the outermost weights whole, and a save must leave them so
    that they can be resharded."""
    assert distance(folder, f"{name} {how}") < TOLERANCE
    validated = [
        row["step"] for row in Metrics(folder / f"{name} {how}").rows() if "validation" in row
    ]
    assert validated == ([12] if how == "saves" else [3, 6, 9, 12])


def test_sharded_weights_lay_in_parts(folder):
    parts = {n: load_file(folder / n / "final.safetensors")["parts"].item() for n in ["one", *TWO]}
    assert parts["one"] == parts["ddp"] == 0
    assert parts["fsdp"] > 10 and parts["fsdp remembered"] > 10


def test_sharding_keeps_the_precision(folder):
    """Accelerate lowers it for a model that is whole, and leaves one in parts to its plugin."""
    names = ("one", "ddp bf16", "fsdp bf16")
    full, whole, parts = (Metrics(folder / name).rows()[0]["loss"] for name in names)
    assert abs(parts - whole) < abs(full - whole) / 3


def test_a_count_of_ones_own_tokens_would_be_seen(folder):
    assert distance(folder, "ddp, each by its own count") > 100 * TOLERANCE


@pytest.mark.parametrize("how", ["ddp", "fsdp"])
def test_a_gradient_that_overflows_on_one_process_stops_both(folder, how):
    said = [(folder / f"{how} diverged" / f"diverged {rank}").read_text() for rank in (0, 1)]
    assert said[0] == said[1]
    assert said[0].startswith(f"gradient: its norm became inf at step {process_runs.STOP_AT},")
    assert not (folder / f"{how} diverged" / CHECKPOINT).exists()


def test_a_refusal_of_the_main_process_is_everybodys(folder):
    assert [(folder / f"refused {rank}").read_text() for rank in (0, 1)] == ["text: too short"] * 2


# --- The whole job, and a process that is killed ------------------------------------------------

WORDS = ["the", "people", "of", "this", "union", "have", "kept", "their", "faith", "in", "peace"]
KILLED_IN_STEP, SAVED_STEP = 8, 5


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run whose second process is killed, and what was left; then the same run to its end."""
    folder = tmp_path_factory.mktemp("job")
    choose = random.Random(0).choice
    text = "\n\n".join(" ".join(choose(WORDS) for _ in range(60)) + "." for _ in range(120))
    (folder / "text.txt").write_text(text)
    flags = {
        "data.text": folder / "text.txt", "data.block": 16, "data.vocabulary": 280,
        "data.fraction": 1.0, "data.test_fraction": 1.0,
        "teacher.source": "train", "teacher.size.width": 32, "teacher.size.layers": 2,
        "teacher.size.heads": 2, "teacher.training.steps": 4,
        "student.size.width": 16, "student.size.layers": 2, "student.size.heads": 2,
        "student.training.steps": 12, "student.training.checkpoint_every": SAVED_STEP,
        "student.training.validate_every": SAVED_STEP,
        "controls.equal_steps": False, "controls.equal_compute": False,
        "device": "cpu", "precision": "fp32", "sharding": "full", "out": folder / "run",
    }  # fmt: skip
    asked = ["distill", "tiny", *(w for name, v in flags.items() for w in (f"--{name}", str(v)))]
    killed = torchrun(HERE / "process_runs.py", "kill", KILLED_IN_STEP, *asked)
    with safe_open(folder / "run" / CHECKPOINT, "pt") as file:
        saved = int(file.metadata()["step"])
    finished = torchrun("-m", "kdlib", *asked, "--resume")
    kdlib_main([*asked, "--sharding", "none", "--out", str(folder / "alone")])
    return folder / "run", killed, saved, finished


def test_a_killed_process_ends_the_run_with_one_clear_line(run):
    _, killed, saved, _ = run
    assert killed.returncode != 0
    said = [line for line in killed.stderr.splitlines() if line.startswith("kdlib")]
    assert said == [
        "kdlib (process 0): processes: another process of this run has ended; the last checkpoint"
        " is kept: go on with --resume"
    ]
    assert "/kdlib/" not in killed.stderr, "torchrun's traceback is its own; ours would be noise"
    assert saved == SAVED_STEP


def test_the_run_goes_on_to_its_report(run):
    folder, _, _, finished = run
    assert finished.returncode == 0, finished.stderr[-3000:]
    report = json.loads((folder / "report.json").read_text())
    assert report["student"]["cross_entropy"] > 0
    assert finished.stdout.count("Report:") == 1, "one process reports"
    steps = [row["step"] for row in Metrics(folder).rows() if row["phase"] == "student"]
    assert steps == [SAVED_STEP, 10, 12]
    assert load_model(folder / "student").dtype == torch.float32


def test_the_run_that_went_on_ends_where_one_process_does_that_was_never_killed(run):
    folder = run[0]
    for name in ("teacher", "student"):
        went_on, alone = (
            load_file(place / name / "model.safetensors")
            for place in (folder, folder.parent / "alone")
        )
        assert went_on.keys() == alone.keys()
        for weight in alone:
            assert (went_on[weight] - alone[weight]).abs().max() < 10 * TOLERANCE, (name, weight)


# --- One process --------------------------------------------------------------------------------


def test_a_checkpoint_leaves_the_live_weights_resizable(tmp_path):
    """FSDP2 frees a weight by resizing its storage; what NumPy has seen cannot be resized."""
    model = new_model(ModelSize(8, 1, 2), 11, 16, seed=0)
    optimizer = torch.optim.AdamW(model.parameters())
    save_checkpoint(Phase("student", tmp_path, "run", seed=0), model, optimizer, Position(1, 0.0))
    for parameter in model.parameters():
        parameter.untyped_storage().resize_(0)


def test_alone_nothing_is_asked_of_others():
    assert is_main() and not is_distributed()
    assert any_rank(True) and not any_rank(False)
    assert run_on_main(lambda: 7) == 7


def test_an_error_of_ones_own_is_no_lost_process():
    with pytest.raises(RuntimeError, match="gloo") as caught, lost_ranks_named():
        raise RuntimeError("[gloo] Connection closed by peer")
    assert not isinstance(caught.value, ProcessLost)


def test_alone_sharding_changes_nothing():
    alone = make_accelerator("cpu", "fp32", "full")
    model = new_model(ModelSize(8, 1, 2), 11, 16, seed=0)
    assert not is_sharding(alone)
    assert gather_model(model) is model
    assert place_module(model, alone) is model


def test_fp32_means_float32_products():
    torch.set_float32_matmul_precision("high")
    make_accelerator("cpu", "fp32")
    assert torch.get_float32_matmul_precision() == "highest"


def test_compiled_layers_give_the_same_numbers():
    plain, compiled = (new_model(ModelSize(8, 2, 2), 11, 16, seed=0) for _ in range(2))
    compile_layers(compiled, backend="eager")
    ids = torch.arange(11)[None]
    assert torch.allclose(plain(ids).logits, compiled(ids).logits, atol=1e-6)
    layers = compiled.model.layers
    assert all(layer._compiled_call_impl is not None for layer in layers)
    assert plain.state_dict().keys() == compiled.state_dict().keys()


def test_a_checkpoint_has_the_same_tensors_for_every_number_of_processes(folder):
    shapes = [
        {name: tensor.shape for name, tensor in load_file(folder / n / CHECKPOINT).items()}
        for n in ("one", "ddp", "fsdp")
    ]
    assert shapes[0] == shapes[1] == shapes[2]
