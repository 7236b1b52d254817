"""The command about recipes: list them, or print one as a file to change."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass

import tyro

from kdlib.jobs.flags import parse
from kdlib.machine.console import show


@dataclass(frozen=True)
class RecipeOptions:
    """List the recipes, or print one as a complete TOML file, each setting with its meaning.

    `kdlib recipe pocket > my.toml` makes a file to change, and `kdlib distill my.toml` runs it.
    """

    name: tyro.conf.Positional[str] = ""
    """Of a recipe, or a file ending in .toml; left out: a list of those that come along."""


def recipe(arguments: list[str]) -> None:
    """Run ``kdlib recipe``: print the list, or one recipe."""
    options = parse(RecipeOptions, arguments, prog="kdlib recipe")
    from kdlib.jobs.annotated import annotated_toml
    from kdlib.jobs.recipe_files import built_in_recipes, load_recipe, purpose

    if options.name:
        # TOML is UTF-8, also where the console, and so a file that its output goes to, is not.
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")
        show(annotated_toml(load_recipe(options.name)).rstrip("\n"))
        return
    names = built_in_recipes()
    width = max(map(len, names))
    show("\n".join(f"{name:<{width}}  {purpose(name)}" for name in names))
