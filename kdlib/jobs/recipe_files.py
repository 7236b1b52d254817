"""Recipes as files: built-in ones, a user's, and a run's."""

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
    """A built-in recipe by its name, or a recipe file by its path."""
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not path.is_file():
        raise UserError(
            f"recipe: {name} is neither a file ending in .toml nor one of {', '.join(built_in_recipes())}"
        )
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"recipe: {path} is not valid TOML: {error}") from error
    return parse(Recipe, _as_flags(tree))


def built_in_recipes() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def recipe_of_run(folder: Path) -> Recipe:
    """The recipe that a run was started with."""
    return load_recipe(str(folder / RECIPE))


def recipe_to_toml(recipe: Recipe) -> str:
    return tomli_w.dumps(dataclasses.asdict(recipe))


def recipe_fingerprint(recipe: Recipe) -> str:
    """Names the run that a checkpoint belongs to."""
    return hashlib.sha256(json.dumps(dataclasses.asdict(recipe)).encode()).hexdigest()[:16]


def differing_fields(one: Recipe, other: Recipe) -> list[str]:
    first, second = (_flatten(dataclasses.asdict(recipe)) for recipe in (one, other))
    return [name for name in first if first[name] != second[name]]


def _flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in tree.items():
        flat |= (
            _flatten(value, f"{prefix}{name}.")
            if isinstance(value, dict)
            else {prefix + name: value}
        )
    return flat


def _as_flags(tree: dict[str, Any]) -> list[str]:
    """A TOML file says the same as the flags it is turned into, so both are checked alike."""
    return [word for name, value in _flatten(tree).items() for word in (f"--{name}", str(value))]
