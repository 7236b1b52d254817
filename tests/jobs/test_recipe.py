"""One tree: dataclass, flags and TOML say the same, and refuse the same."""

import dataclasses
import subprocess
import sys

import pytest

from kdlib.errors import UserError
from kdlib.jobs.flags import parse
from kdlib.jobs.recipe import DistillOptions, Recipe
from kdlib.jobs.recipe_files import (
    built_in_recipes,
    differing_fields,
    load_recipe,
    recipe_fingerprint,
    recipe_to_toml,
)
from kdlib.losses.objectives import Objective


def from_flags(*flags):
    return parse(DistillOptions, list(flags)).recipe


def from_toml(tmp_path, text):
    path = tmp_path / "my.toml"
    path.write_text(text)
    return load_recipe(str(path))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--objective.divergence reverse_kl", "needs the teacher's whole distributions"),
        ("--teacher train --targets.cache folder", "yet to be trained"),
    ],
)
def test_what_sparse_targets_cannot_do(flags, message):
    with pytest.raises(UserError, match=message):
        from_flags("--targets.kind", "sampled", *flags.split())


@pytest.mark.parametrize("name", built_in_recipes())
def test_built_in_recipe_survives_the_round_trip(name, tmp_path):
    recipe = load_recipe(name)
    assert from_toml(tmp_path, recipe_to_toml(recipe)) == recipe


def test_expected_recipes_are_there():
    assert {"pocket", "pocket_teacher", "tiny"} <= set(built_in_recipes())


def test_flag_wins_over_file(tmp_path):
    defaults = DistillOptions(from_toml(tmp_path, "seed = 3\n[data]\nfraction = 0.5\n"))
    asked = parse(DistillOptions, ["--seed", "4"], defaults)
    assert (asked.recipe.seed, asked.recipe.data.fraction) == (4, 0.5)


def test_shorthands():
    recipe = from_flags("--text", "my.txt", "--teacher", "folder")
    assert (recipe.data.text, recipe.teacher.source) == ("my.txt", "folder")


def test_booleans_read_alike_in_both(tmp_path):
    assert from_flags("--controls.equal-compute", "False") == from_toml(
        tmp_path, "[controls]\nequal_compute = false\n"
    )


def test_objective_is_built_as_asked():
    alpha = from_flags("--objective.weight", "0.25", "--objective.temperature", "2").objective
    assert alpha.objective() == Objective.from_alpha(0.25, temperature=2.0)
    lambda_ = from_flags("--objective.weighing", "lambda", "--objective.weight", "4").objective
    assert lambda_.objective() == Objective.from_lambda(4.0)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("data.fraction", "0", "not in"),
        ("data.fraction", "1.5", "not in"),
        ("data.fraction", "many", "could not convert"),
        ("data.block", "2", "too short"),
        ("data.vocabulary", "10", "too small"),
        ("objective.temperature", "0", "not above 0"),
        ("objective.temperature", "-1", "not above 0"),
        ("objective.temperature", "nan", "not above 0"),
        ("objective.weight", "-1", "as alpha"),
        ("objective.weight", "1.5", "as alpha"),
        ("objective.divergence", "kl", "not one of forward_kl"),
        ("targets.kind", "all", "not one of exact, top_k"),
        ("targets.k", "0", "not at least 1"),
        ("targets.cache", "folder", "exact targets are not read from disk"),
        ("student.training.steps", "0", "too small"),
        ("student.training.stepz", "1", "did you mean student.training.steps"),
        ("student.size.heads", "3", "do not divide"),
        ("controls.equal_compute", "maybe", "not one of"),
        ("controls.equal_time", "False", "unknown field: controls.equal_time"),
        ("seeds", "0", "0 is too few; use 1 or more"),
        ("device", "tpu", "not one of"),
        ("colour", "red", "unknown field: colour"),
    ],
)
def test_what_cannot_be_is_refused_in_both(tmp_path, name, value, message):
    with pytest.raises(UserError, match=message) as by_flag:
        from_flags(f"--{name}", value)
    assert "\n" not in str(by_flag.value)
    section, _, field = name.rpartition(".")
    quoted = value if value.replace(".", "").replace("-", "").isdigit() else f'"{value}"'
    with pytest.raises(UserError, match=message):
        from_toml(tmp_path, (f"[{section}]\n" if section else "") + f"{field} = {quoted}\n")


def test_negative_lambda_is_refused():
    with pytest.raises(UserError, match="as lambda"):
        from_flags("--objective.weighing", "lambda", "--objective.weight", "-0.5")


@pytest.mark.parametrize("name", ["nonsense", "missing.toml"])
def test_unknown_recipe_lists_the_known(name):
    with pytest.raises(UserError, match="pocket"):
        load_recipe(name)


def test_invalid_toml_is_named(tmp_path):
    with pytest.raises(UserError, match=r"my\.toml is not valid TOML"):
        from_toml(tmp_path, "[data\n")


def test_until_teacher_needs_a_teacher_to_train():
    with pytest.raises(UserError, match="needs teacher.source = train"):
        from_flags("--until", "teacher")


def test_fingerprint_tells_recipes_apart():
    one, other = Recipe(), Recipe(seed=1)
    assert recipe_fingerprint(one) == recipe_fingerprint(Recipe())
    assert recipe_fingerprint(one) != recipe_fingerprint(other)
    assert differing_fields(one, other) == ["seed"]


def _undocumented(shape, prefix=""):
    """Fields of a dataclass tree without a docstring of their own (tyro shows it in --help)."""
    from tyro._docstrings import get_field_docstring

    for f in dataclasses.fields(shape):
        nested = getattr(f.default, "__class__", None)
        if dataclasses.is_dataclass(nested):
            yield from _undocumented(nested, f"{prefix}{f.name}.")
        elif not get_field_docstring(shape, f.name, ()):
            yield prefix + f.name


def test_every_field_is_documented():
    assert list(_undocumented(Recipe)) == []


def test_import_of_kdlib_costs_nothing_beside_torch():
    """Counted in modules, not seconds: nothing heavy may come along with `import kdlib`."""
    code = """
import sys, torch
before = set(sys.modules)
import kdlib, kdlib.losses.divergences, kdlib.losses.objectives, kdlib.sequences.exact
new = {name.split(".")[0] for name in set(sys.modules) - before}
print(sorted(new & {"transformers", "accelerate", "matplotlib", "tokenizers", "tyro", "scipy", "pandas"}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
