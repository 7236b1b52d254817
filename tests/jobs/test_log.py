"""``--log.to``: a run's curves where people watch them, and nothing before it is asked for."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
from forked import kdlib
from little_runs import TRAINING, little, paragraphs, run, write_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from kdlib.errors import UserError
from kdlib.jobs.log_settings import Log
from kdlib.jobs.recipe import Recipe
from kdlib.jobs.recipe_files import load_recipe, recipe_fingerprint, recipe_to_toml
from kdlib.training.metrics import Metrics

TESTS = Path(__file__).parents[1]


def losses(folder):
    shown = EventAccumulator(str(folder))
    shown.Reload()
    return [(point.step, point.value) for point in shown.Scalars("loss")]


def assert_same_curves(folder, phases):
    rows = Metrics(folder).rows()
    assert {row["phase"] for row in rows} == set(phases)
    for phase in phases:
        of_phase = [(r["step"], pytest.approx(r["loss"], rel=1e-6)) for r in rows if r["phase"] == phase]  # fmt: skip
        assert losses(folder / "log" / phase) == of_phase


def test_every_training_of_a_run_has_its_curves(tmp_path):
    text = write_file(tmp_path / "book.txt", paragraphs(200))
    recipe = little(text, log=Log("tensorboard"), seeds=2)
    run(recipe, tmp_path / "run")
    trained = ("teacher", "student", "control_equal_steps", "seed_1/student", "seed_1/control_equal_steps")  # fmt: skip
    assert_same_curves(tmp_path / "run", trained)
    assert "[log]" in (tmp_path / "run" / "recipe.toml").read_text()


def test_a_missing_package_is_refused_before_the_folder_is_touched(workplace, monkeypatch):
    """Not even to overwrite a run: what is there stays."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    before = sorted(Path("run").rglob("*"))
    with pytest.raises(UserError, match=r"^log.to: wandb is not installed; pip install wandb$"):
        run(little("book.txt", log=Log("wandb")), Path("run"), overwrite=True)
    with pytest.raises(UserError, match="pip install wandb"):
        run(little("book.txt", log=Log("wandb")), Path("new"))
    assert sorted(Path("run").rglob("*")) == before and not Path("new").exists()


def test_the_setting_is_in_the_recipe_and_not_in_its_fingerprint(tmp_path):
    """A checkpoint of a run is as good whoever watches."""
    watched = Recipe(log=Log("trackio"))
    assert recipe_fingerprint(watched) == recipe_fingerprint(Recipe())
    (tmp_path / "r.toml").write_text(recipe_to_toml(watched))
    assert load_recipe(str(tmp_path / "r.toml")) == watched
    refused = kdlib("distill", "tiny", "--log.to", "nowhere", "--out", tmp_path / "run")
    assert refused.code == 2 and refused.err.count("\n") == 1 and "log.to" in refused.err


@pytest.mark.slow
def test_two_processes_tell_a_tracker_once(tmp_path):
    text = write_file(tmp_path / "book.txt", paragraphs(200))
    recipe = dataclasses.replace(little(text, log=Log("tensorboard")))
    (tmp_path / "little.toml").write_text(recipe_to_toml(recipe))
    command = (
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        "-m", "kdlib", "distill", tmp_path / "little.toml", "--out", tmp_path / "run",
    )  # fmt: skip
    path = os.pathsep.join([str(TESTS.parent), str(TESTS / "offline")])
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, env=environment, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert_same_curves(tmp_path / "run", ("teacher", "student", "control_equal_steps"))
    assert len([*(tmp_path / "run" / "log" / "student").iterdir()]) == 1
    assert TRAINING.steps == losses(tmp_path / "run" / "log" / "student")[-1][0]
