"""A run's losses take one form of their element-wise pass, from its first step to its report."""

import dataclasses
import json
from types import SimpleNamespace

import pytest
import torch

from kdlib.errors import UserError
from kdlib.jobs import loss_pass
from kdlib.jobs.loss_pass import choose_pass, uses_compiled_pass
from kdlib.jobs.recipe import Recipe
from kdlib.jobs.recipe_files import recipe_fingerprint
from kdlib.losses.fused import compiled
from kdlib.training.run_folder import prepare_run
from kdlib.training.run_state import read_state, write_state

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def compiler(monkeypatch):
    """Says whether a compiler works: where, and how often it was asked."""
    said = SimpleNamespace(works=True, asked=[])

    def works(device):
        said.asked.append(device.type)
        return said.works

    monkeypatch.setattr(loss_pass, "works", works)
    return said


def run(folder, device=CPU, **settings):
    recipe = Recipe(**settings)
    if not folder.exists():
        prepare_run(folder, "run", "", overwrite=False)
    return SimpleNamespace(recipe=recipe, folder=folder, accelerator=SimpleNamespace(device=device))


@pytest.mark.parametrize(
    ("settings", "device", "chosen"),
    [
        ({}, CPU, "eager"),
        ({}, GPU, "compiled"),
        ({"compile": True}, CPU, "compiled"),
        ({"compile": True, "loss_pass": "eager"}, GPU, "eager"),
        ({"loss_pass": "compiled"}, CPU, "compiled"),
        ({"loss_pass": "eager"}, GPU, "eager"),
    ],
)
def test_the_recipe_chooses_and_else_the_machine(compiler, settings, device, chosen):
    assert choose_pass(Recipe(**settings), device) == chosen


def test_a_processor_is_not_made_to_compile_to_find_out(compiler):
    choose_pass(Recipe(), CPU)
    assert not compiler.asked


def test_without_a_compiler_it_is_eager_and_not_if_it_was_asked_for(compiler):
    compiler.works = False
    assert choose_pass(Recipe(), GPU) == "eager"
    for settings in ({"compile": True}, {"loss_pass": "compiled"}):
        with pytest.raises(UserError, match="^loss_pass: no compiler works here"):
            choose_pass(Recipe(**settings), GPU)


@pytest.mark.parametrize("first", [True, False])
def test_what_a_run_began_with_it_goes_on_with(compiler, tmp_path, first):
    compiler.works = first
    context = run(tmp_path / "run", GPU)
    assert uses_compiled_pass(context) == first
    assert read_state(context.folder)["loss_pass"] == ("compiled" if first else "eager")
    compiler.works = True  # one may have been installed since
    assert uses_compiled_pass(run(tmp_path / "run", GPU)) == first


def test_a_run_that_began_compiled_is_not_quietly_gone_on_with(compiler, tmp_path):
    uses_compiled_pass(run(tmp_path / "run", GPU))
    compiler.works = False
    with pytest.raises(UserError, match="^resume: the run began with a compiled loss"):
        uses_compiled_pass(run(tmp_path / "run", GPU))


def test_a_state_that_says_something_else_is_damaged(tmp_path):
    context = run(tmp_path / "run")
    write_state(context.folder, read_state(context.folder) | {"loss_pass": "fast"})
    with pytest.raises(UserError, match="its loss_pass is neither"):
        read_state(context.folder)


def test_runs_of_before_keep_their_fingerprints():
    """What is left open is no part of it; what is asked for is."""
    recipe = Recipe()
    assert "loss_pass" in json.dumps(dataclasses.asdict(recipe))
    assert recipe_fingerprint(recipe) == "45b87b1207e7d620"
    assert recipe_fingerprint(Recipe(loss_pass="eager")) != recipe_fingerprint(recipe)


needs_a_compiler = pytest.mark.skipif(
    not compiled.is_available(CPU), reason="no C++ compiler on this machine"
)


@needs_a_compiler
def test_a_compiler_works_if_it_gives_the_same_numbers(monkeypatch):
    compiled.works.cache_clear()
    assert compiled.works(CPU)
    asked = []

    def wrong(student, teacher, a, b):
        asked.append(1)
        return tuple(1.01 * each for each in compiled._fused(student, teacher, a, b))

    def broken(*given):
        raise RuntimeError("g++: fatal error: no header")

    for fault in (wrong, broken):
        compiled.works.cache_clear()
        monkeypatch.setattr(compiled, "kl_and_gradient", fault)
        assert not compiled.works(CPU)
    assert asked
    compiled.works.cache_clear()
