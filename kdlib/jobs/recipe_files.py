"""Recipes as TOML files: the built-in ones, a user's own, and the recipe of a run."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

import tomli_w

from kdlib.errors import UserError
from kdlib.jobs.flags import parse
from kdlib.jobs.recipe import Recipe
from kdlib.training.run_folder import RECIPE

FOLDER = Path(__file__).parent / "recipes"


def load_recipe(name: str) -> Recipe:
    """Load a recipe.

    Args:
        name: of a built-in recipe, or the path of a file ending in ``.toml``.

    Raises:
        UserError: for a name that is neither, for invalid TOML, and for fields or values that do
            not fit.
    """
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not path.is_file():
        raise UserError(
            f"recipe: {name} is neither a file ending in .toml nor one of"
            f" {', '.join(built_in_recipes())}"
        )
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"recipe: {path} is not valid TOML: {error}") from error
    return parse(Recipe, _as_flags(tree))


def built_in_recipes() -> list[str]:
    """Names of the built-in recipes, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def recipe_of_run(folder: Path) -> Recipe:
    """The recipe that the run in this folder was started with."""
    return load_recipe(str(folder / RECIPE))


def recipe_to_toml(recipe: Recipe) -> str:
    """The recipe as a complete TOML file."""
    return tomli_w.dumps(dataclasses.asdict(recipe))


def recipe_fingerprint(recipe: Recipe) -> str:
    """Fingerprint of a recipe, 16 hexadecimal digits: a checkpoint names its run by it."""
    return hashlib.sha256(json.dumps(dataclasses.asdict(recipe)).encode()).hexdigest()[:16]


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
    return [word for name, value in _flatten(tree).items() for word in (f"--{name}", str(value))]
