"""Whole runs whose learners have adapters: interrupted, in two processes, and refused."""

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from little_runs import paragraphs, result, write_file
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from kdlib.data.document import Document
from kdlib.data.tokenizer import train_tokenizer
from kdlib.errors import UserError
from kdlib.jobs.classroom import open_classroom
from kdlib.jobs.compute import operations_of
from kdlib.jobs.context import open_context
from kdlib.jobs.data_settings import Data
from kdlib.jobs.expectations import expected_bytes, expected_operations
from kdlib.jobs.lora_settings import Lora
from kdlib.jobs.pipeline import distill
from kdlib.jobs.preview import preview
from kdlib.jobs.recipe import Controls, Recipe, StudentSettings, TeacherSettings
from kdlib.jobs.recipe_files import recipe_fingerprint, recipe_to_toml
from kdlib.jobs.students import student_shape
from kdlib.models import lora
from kdlib.models.folders import load_model, save_model, wrap_tokenizer
from kdlib.models.from_scratch import ModelSize, new_model
from kdlib.models.pruning import Pruning
from kdlib.training import loop
from kdlib.training.phase import Interrupted
from kdlib.training.run_folder import CHECKPOINT
from kdlib.training.schedule import Training

TESTS = Path(__file__).parents[1]
TRAINING = Training(steps=8, batch=4, learning_rate=0.02, checkpoint_every=3, validate_every=8)
ADAPTERS = Lora(rank=2)
CONTROL = "control_equal_steps"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A text, and a teacher that knows nothing; a student of another shape with its tokenizer."""
    folder = tmp_path_factory.mktemp("made")
    text = "\n\n".join(paragraphs(120))
    write_file(folder / "book.txt", [text])
    tokenizer = wrap_tokenizer(train_tokenizer([Document("book", text)], 300), context=64)
    for name, width, layers in (("teacher", 16, 3), ("small", 8, 2)):
        model = new_model(ModelSize(width, layers, 2), len(tokenizer), 64, seed=width)
        save_model(model, tokenizer, folder / name)
    return folder


def recipe(made, **student):
    given = {"source": "pruned", "pruning": Pruning(layers=2), "lora": ADAPTERS} | student
    return Recipe(
        data=Data(text=str(made / "book.txt"), fraction=0.5, test_fraction=1, block=16),
        teacher=TeacherSettings(source=str(made / "teacher")),
        student=StudentSettings(training=TRAINING, **given),
        controls=Controls(equal_compute=False),
        device="cpu",
    )


@pytest.fixture(scope="module")
def straight(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("straight") / "run"
    distill(recipe(made), folder)
    return folder


def weights(folder, name="student"):
    return load_file(folder / name / "model.safetensors")


def test_student_and_control_are_models_like_any_other(made, straight):
    report = result(straight)
    student, control = report["student"], report[CONTROL]
    assert student["parameters"] == control["parameters"] < report["teacher"]["parameters"]
    # Of each block: query, key, value and output (16, 16), gate, up and down (16, 32), rank 2.
    trained = 2 * 2 * (4 * (16 + 16) + 3 * (16 + 32))
    assert student["trainable_parameters"] == control["trainable_parameters"] == trained
    assert student["training_bytes"] == 4 * student["parameters"] + 16 * trained
    assert "trainable_parameters" not in report["teacher"]
    assert "trained (LoRA)" in (straight / "report.html").read_text("utf-8")
    for name in ("student", CONTROL):
        names = weights(straight, name).keys()
        assert not [each for each in names if "lora" in each or "base_layer" in each]
        assert all(type(m) is nn.Linear for m in load_model(straight / name).modules() if isinstance(m, nn.Linear))  # fmt: skip


def test_the_look_before_the_run_counts_what_it_takes(made, straight, tmp_path):
    context = open_context(recipe(made), tmp_path / "run")
    classroom = open_classroom(context)
    student = student_shape(context, classroom.teacher, classroom.tokenizer)
    taken = result(straight)["operations"]
    assert expected_operations(classroom, student) == sum(taken.values())
    bare = student_shape(
        dataclasses.replace(context, recipe=recipe(made, lora=Lora())),
        classroom.teacher,
        classroom.tokenizer,
    )
    full = operations_of(bare, classroom.blocks).training * TRAINING.steps * TRAINING.batch
    assert taken[CONTROL] < full, "frozen weights have no gradient"
    assert expected_bytes(classroom, student) < expected_bytes(classroom, bare)
    (line,) = [each for each in preview(context, classroom) if each.startswith("Models")]
    assert line.endswith("; 1.09 k in adapters are what is trained")
    sizes = result(straight)
    ratio = sizes["teacher"]["parameters"] / sizes["student"]["parameters"]
    assert f"{ratio:.3g} times the student's" in line


def test_what_has_no_adapter_is_as_it_was_in_the_teacher(made, straight):
    teacher = weights(made, "teacher")
    for name in ("student", CONTROL):
        learned = weights(straight, name)
        assert torch.equal(
            learned["model.embed_tokens.weight"], teacher["model.embed_tokens.weight"]
        )
        moved = learned["model.layers.0.mlp.up_proj.weight"]
        assert not any(
            torch.equal(moved, teacher[f"model.layers.{n}.mlp.up_proj.weight"]) for n in range(3)
        )
        # From whichever block it was cut, what was learned is of the adapters' rank.
        updates = [moved - teacher[f"model.layers.{n}.mlp.up_proj.weight"] for n in range(3)]
        assert min(int((torch.linalg.svdvals(u) > 1e-5).sum()) for u in updates) == ADAPTERS.rank


def test_a_stored_student_learns_with_adapters_too(made, tmp_path):
    asked = recipe(made, source=str(made / "small"), lora=Lora(rank=2, targets="q_proj,up_proj"))
    distill(asked, tmp_path / "run")
    before, after = weights(made, "small"), weights(tmp_path / "run")
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert {name.split(".")[-2] for name in moved} == {"q_proj", "up_proj"} and len(moved) == 4


@pytest.mark.parametrize("step", [0, 4])
@pytest.mark.parametrize("phase", ["student", CONTROL])
def test_interrupted_and_resumed_is_bit_equal(made, straight, tmp_path, monkeypatch, phase, step):
    folder, real, begun = tmp_path / "run", loop.rows_of_step, []

    def rows(current, *arguments):
        begun.extend([current] if current == 0 else [])
        if current == step and len(begun) == (1 if phase == "student" else 2):
            os.kill(os.getpid(), signal.SIGINT)
        return real(current, *arguments)

    monkeypatch.setattr(loop, "rows_of_step", rows)
    with pytest.raises(Interrupted, match=f"{phase} stopped after step {step + 1} of 8"):
        distill(recipe(made), folder)
    with safe_open(folder / CHECKPOINT, framework="pt") as file:
        names = [name for name in file.keys() if name.startswith("model.")]  # noqa: SIM118
    assert names and all("lora_" in name for name in names), "the frozen weights are not stored"
    monkeypatch.undo()
    distill(recipe(made), folder, resume=True)
    for name in ("student", CONTROL):
        one, other = weights(straight, name), weights(folder, name)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_processes_reach_the_weights_of_one(made, straight, tmp_path, processes):
    (tmp_path / "lora.toml").write_text(recipe_to_toml(recipe(made)))
    path = os.pathsep.join([str(TESTS.parent), str(TESTS / "offline")])
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node",
         str(processes), "-m", "kdlib", "distill", tmp_path / "lora.toml", "--out", tmp_path / "run"],
        capture_output=True, text=True, timeout=300,
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    one, other = weights(straight), weights(tmp_path / "run")
    # The sums of two processes are in another order, which Adam's division enlarges; a weight moves
    # by a hundred times as much.
    assert all(torch.allclose(one[key], other[key], rtol=0, atol=1e-5) for key in one)


# --- Refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"source": "new"}, "student.lora.rank: a new student knows nothing yet"),
        ({"sharding": "full"}, "student.lora.rank: adapters are not sharded; use --sharding none"),
        ({"teacher": TeacherSettings(source="train")}, "a teacher that is yet to be trained"),
    ],
)
def test_a_student_with_nothing_to_adapt_is_refused_at_once(made, changes, words):
    student = {name: changes.pop(name) for name in ("source",) if name in changes}
    with pytest.raises(UserError, match=words):
        dataclasses.replace(recipe(made, **student), **changes)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rank": -1}, "student.lora.rank: -1 is below 0"),
        ({"rank": 2, "alpha": 0.0}, "student.lora.alpha: 0.0 is not above 0"),
        ({"rank": 2, "alpha": float("nan")}, "student.lora.alpha: nan is not above 0"),
        ({"targets": "q_proj"}, "student.lora.rank: 0 has no adapters, which"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, words):
    with pytest.raises(UserError, match=words):
        Lora(**settings)


@pytest.mark.parametrize("source", ["pruned", "small"])
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rank": 2, "targets": "query"}, "student.lora.targets: .* has no layer 'query'"),
        ({"rank": 30}, "student.lora.rank: 30 is beyond the smallest matrix"),
    ],
)
def test_layers_that_are_not_there_are_refused_before_anything_is_written(
    made, tmp_path, source, settings, words
):
    source = source if source == "pruned" else str(made / source)
    with pytest.raises(UserError, match=words):
        distill(recipe(made, source=source, lora=Lora(**settings)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_missing_peft_is_refused_before_anything_is_read(made, tmp_path, monkeypatch):
    monkeypatch.setattr(lora.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'kdlib\[lora\]'"):
        distill(recipe(made), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_adapters_make_another_run(made):
    settings = [Lora(), ADAPTERS, Lora(rank=3), Lora(rank=2, alpha=2.0), Lora(rank=2, targets="q")]
    assert len({recipe_fingerprint(recipe(made, lora=each)) for each in settings}) == len(settings)
