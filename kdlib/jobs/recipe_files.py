"""Recipes as TOML files: the built-in ones, a user's own, and the recipe of a run."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

import tomli_w

from kdlib.errors import UserError
from kdlib.files import expand_home
from kdlib.jobs.data_settings import Data, Evaluate
from kdlib.jobs.flags import parse, refuse_unknown
from kdlib.jobs.lora_settings import Lora
from kdlib.jobs.on_policy_settings import OnPolicy
from kdlib.jobs.recipe import Recipe
from kdlib.training.run_folder import RECIPE, read_recipe

FOLDER = Path(__file__).parent / "recipes"
# Settings of data that older runs did not know: at their defaults, they leave a run what it was.
LATER = ("validation", "test", "separator", "records", "template")


def load_recipe(name: str) -> Recipe:
    """Load a recipe.

    Args:
        name: of a built-in recipe, or the path of a file ending in ``.toml``.

    Raises:
        UserError: for a name that is neither, for invalid TOML, and for fields or values that do
            not fit.
    """
    path = expand_home(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not path.is_file():
        raise UserError(_no_recipe(name, path))
    try:
        # An editor's byte order mark at the beginning is no part of the text.
        return _from_toml(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"recipe: {path} is not valid TOML: {error}") from error


def _no_recipe(name: str, path: Path) -> str:
    """Why there is no recipe of this name."""
    if path.exists():
        return f"recipe: {name} is not a regular file; give a TOML file"
    close = difflib.get_close_matches(name, built_in_recipes(), n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    known = ", ".join(built_in_recipes())
    return f"recipe: {name} is neither a file ending in .toml nor one of {known}{hint}"


def _from_toml(text: str) -> Recipe:
    """The recipe that a TOML text asks for."""
    return parse(Recipe, _as_flags(tomllib.loads(text)))


def built_in_recipes() -> list[str]:
    """Names of the built-in recipes, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def purpose(name: str) -> str:
    """What a built-in recipe is for: the comment at the top of its file."""
    first, _, _ = (FOLDER / f"{name}.toml").read_text("utf-8").partition("\n")
    return first.removeprefix("# ")


def recipe_of_run(folder: Path) -> Recipe:
    """The recipe that the run in this folder was started with."""
    text = read_recipe(folder)
    try:
        return _from_toml(text)
    except (tomllib.TOMLDecodeError, RecursionError, UserError) as error:
        raise UserError(f"recipe: {folder / RECIPE} is damaged: {error}") from error


def recipe_to_toml(recipe: Recipe) -> str:
    """The recipe as a complete TOML file."""
    return tomli_w.dumps(_set_values(recipe))


def recipe_fingerprint(recipe: Recipe) -> str:
    """Fingerprint of a recipe, 16 hexadecimal digits: a checkpoint names its run by it."""
    values, defaults = _set_values(recipe), Data()
    for name in LATER:
        if values["data"][name] == getattr(defaults, name):
            del values["data"][name]
    del values["log"]  # it changes no weight
    if recipe.loss_pass == "auto":  # nor did they know of this choice
        del values["loss_pass"]
    if recipe.teacher.dtype == "auto":
        del values["teacher"]["dtype"]
    if recipe.student.lora == Lora():
        del values["student"]["lora"]
    if recipe.evaluate == Evaluate():
        del values["evaluate"]
    if recipe.on_policy == OnPolicy():
        del values["on_policy"], values["controls"]["off_policy"]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:16]


def _set_values(recipe: Recipe) -> dict[str, Any]:
    """The recipe's tree without what it leaves open (None): TOML has no word for that, and a run
    made before such a field was known keeps its fingerprint."""
    values: dict[str, Any] = dataclasses.asdict(recipe, dict_factory=_without_none)
    return values


def _without_none(items: list[tuple[str, Any]]) -> dict[str, Any]:
    """The entries of a table that have a value."""
    return {name: value for name, value in items if value is not None}


def differing_fields(one: Recipe, other: Recipe) -> list[str]:
    """Dotted names of the fields in which two recipes differ."""
    first, second = (_flatten(dataclasses.asdict(recipe)) for recipe in (one, other))
    return [name for name in first if first[name] != second[name]]


def _flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, object]:
    """The leaves of the tree by their dotted names."""
    flat: dict[str, object] = {}
    for name, value in tree.items():
        flat |= (
            _flatten(value, f"{prefix}{name}.")
            if isinstance(value, dict)
            else {prefix + name: value}
        )
    return flat


def _as_flags(tree: dict[str, Any]) -> list[str]:
    """A TOML file as flags: both go through the same checks."""
    flat = _flatten(tree)
    for name in flat:
        refuse_unknown(name, Recipe)  # here, because --help is no field and yet a flag
    # Joined by "=": a value may begin with dashes, too.
    return [f"--{name}={value}" for name, value in flat.items()]
