"""One tree: dataclass, flags and TOML say the same, and refuse the same."""

import dataclasses
import hashlib
import json
import subprocess
import sys
import tomllib

import oracles
import pytest
import torch

from kdlib.errors import UserError
from kdlib.jobs.data_settings import Data
from kdlib.jobs.flags import parse
from kdlib.jobs.objective_settings import ObjectiveSettings
from kdlib.jobs.recipe import DistillOptions, Recipe
from kdlib.jobs.recipe_files import (
    built_in_recipes,
    differing_fields,
    load_recipe,
    recipe_fingerprint,
    recipe_to_toml,
)
from kdlib.losses.divergences import DIVERGENCES, parameter_names
from kdlib.losses.objectives import Objective
from kdlib.models.from_scratch import ModelSize, new_model
from kdlib.models.frozen import freeze
from kdlib.teachers.live import LiveTargets
from kdlib.training.student_with_loss import StudentWithLoss


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
        ("data.fraction", "many", "is not a number"),
        ("data.block", "2", "too short"),
        ("data.vocabulary", "10", "too small"),
        ("objective.temperature", "0", "not above 0"),
        ("objective.temperature", "-1", "not above 0"),
        ("objective.temperature", "nan", "not above 0"),
        ("objective.temperature", "1e300", r"1e\+300 is not in \[0.001, 1000\]"),
        ("objective.temperature", "1e-40", "not in"),
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


@pytest.mark.parametrize("weight", ["-0.5", "nan", "inf", "1e308"])
def test_a_lambda_that_cannot_be_is_refused(weight):
    with pytest.raises(UserError, match="objective.weight: .* as lambda"):
        from_flags("--objective.weighing", "lambda", "--objective.weight", weight)


# --- Every divergence, from the recipe to a step ------------------------------------------------

# What is asked for beside the name, and what the reference is given: the usual values are written
# out here once more.
ASKED = {
    "generalized_jsd": [({}, {"beta": 0.5}), ({"beta": 0.1}, {"beta": 0.1})],
    "skew_kl": [({}, {"alpha": 0.1}), ({"alpha": 0.0}, {"alpha": 0.0})],
    "skew_reverse_kl": [({}, {"alpha": 0.1}), ({"alpha": 0.7}, {"alpha": 0.7})],
    "alpha_beta": [({"alpha": 0.2, "beta": 0.7},) * 2, ({"alpha": 0.5, "beta": -0.5},) * 2],
    "adaptive_kl": [({}, {"mu": 0.5}), ({"mu": 0.9}, {"mu": 0.9})],
}
WAYS = [(name, *pair) for name in DIVERGENCES for pair in ASKED.get(name, [({}, {})])]


@pytest.mark.parametrize(("name", "asked", "meant"), WAYS, ids=str)
def test_a_divergence_goes_from_the_recipe_to_a_step(name, asked, meant, tmp_path):
    settings = {"divergence": name, "temperature": 2.0, **asked}
    flags = [w for k, v in settings.items() for w in (f"--objective.{k}", str(v))]
    toml = "[objective]\n" + "".join(
        f"{k} = {v!r}\n".replace("'", '"') for k, v in settings.items()
    )
    recipe = from_flags(*flags)
    assert recipe == from_toml(tmp_path, toml) == from_toml(tmp_path, recipe_to_toml(recipe))

    teacher, student = (new_model(ModelSize(8, 1, 2), 11, 16, seed) for seed in (1, 2))
    ids = torch.randint(0, 11, (2, 5), generator=torch.Generator().manual_seed(0))
    p, q = (
        (m(ids).logits[:, :-1] / 2).double().log_softmax(-1).flatten(0, 1)
        for m in (teacher, student)
    )
    expected = 4 * sum(
        getattr(oracles, name)(*pair, **meant) for pair in zip(p.tolist(), q.tolist())
    )

    targets = LiveTargets(freeze(teacher))(torch.arange(2), ids)
    optimizer = torch.optim.SGD(student.parameters(), lr=1e-3)
    loss = StudentWithLoss(student)(ids, None, recipe.objective.objective(), targets)
    assert loss.total.item() == pytest.approx(expected, rel=1e-4)
    loss.total.backward()
    optimizer.step()
    after = StudentWithLoss(student)(ids, None, recipe.objective.objective(), targets)
    assert after.total < loss.total


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("skew_kl --objective.alpha 1.5", r"objective.alpha must be a number in \[0, 1\], got 1.5"),
        ("skew_reverse_kl --objective.alpha nan", "objective.alpha must .* got nan"),
        ("generalized_jsd --objective.beta -0.1", r"objective.beta must .* \[0, 1\]"),
        ("generalized_jsd --objective.beta inf", "objective.beta must .* got inf"),
        ("adaptive_kl --objective.mu 2", "objective.mu must"),
        ("generalized_jsd --objective.beta half", r"(?s)objective.beta: .*half"),
        (
            "alpha_beta --objective.alpha 1e9 --objective.beta 1",
            r"objective.alpha must .*-100, 100",
        ),
        (
            "alpha_beta --objective.alpha -1 --objective.beta 0.5",
            r"objective.alpha \+ beta must be",
        ),
        ("alpha_beta", r"objective.alpha: alpha_beta needs alpha and beta, each in \[-100, 100\]"),
        ("alpha_beta --objective.alpha 1", "objective.beta: alpha_beta needs alpha and beta"),
        (
            "forward_kl --objective.alpha 0.5",
            "objective.alpha: forward_kl takes none; .*objective.weight",
        ),
        ("skew_kl --objective.beta 0.5", "objective.beta: skew_kl takes alpha; leave beta out"),
        ("generalized_jsd --objective.mu 0.5", "objective.mu: generalized_jsd takes beta"),
    ],
)
def test_parameters_of_a_divergence_are_checked_when_the_recipe_is_read(flags, message):
    with pytest.raises(UserError, match=message):
        from_flags("--objective.divergence", *flags.split())


def test_every_parameter_of_a_divergence_has_its_field():
    needed = {name for divergence in DIVERGENCES for name in parameter_names(divergence)}
    assert needed == {f.name for f in dataclasses.fields(ObjectiveSettings) if f.default is None}


def test_a_flag_takes_back_a_parameter_of_the_file(tmp_path):
    of_file = from_toml(tmp_path, '[objective]\ndivergence = "skew_kl"\nalpha = 0.3\n')
    flags = ["--objective.divergence", "reverse_kl", "--objective.alpha", "None"]
    asked = parse(DistillOptions, flags, DistillOptions(of_file)).recipe
    assert asked.objective.objective() == Objective(divergence="reverse_kl")


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


def test_an_open_parameter_is_no_part_of_the_fingerprint():
    """The recipe of a run that knew no such parameter still names the run."""
    assert "alpha" not in tomllib.loads(recipe_to_toml(Recipe()))["objective"]
    known = dataclasses.asdict(Recipe())
    for name in ("alpha", "beta", "mu"):
        assert known["objective"].pop(name) is None
    for name, default in (
        ("validation", ""), ("test", ""), ("separator", "auto"), ("records", ""), ("template", ""),
    ):  # fmt: skip
        assert known["data"].pop(name) == default
    assert not known.pop("evaluate")["exact_match"]
    assert not known.pop("on_policy")["share"]
    assert known.pop("loss_pass") == "auto"
    assert known["teacher"].pop("dtype") == "auto"
    assert not known["student"].pop("lora")["rank"]
    assert known.pop("log") == {"to": "none"}  # wherever it is watched, it is the same run
    assert known["controls"].pop("off_policy")  # of a student that writes nothing it says nothing
    digest = hashlib.sha256(json.dumps(known).encode()).hexdigest()
    assert recipe_fingerprint(Recipe()) == digest[:16]
    skewed = ["--objective.divergence", "skew_kl"]
    assert len({recipe_fingerprint(from_flags(*skewed, "--objective.alpha", a)) for a in "01"}) == 2


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


@pytest.mark.parametrize("separator", ["\n", " ", "~"])
def test_documents_may_be_separated_by_any_token(separator):
    assert Recipe(data=Data(separator=separator)).data.separator == separator
    with pytest.raises(UserError, match=r"data\.separator: it is empty"):
        Recipe(data=Data(separator=""))
