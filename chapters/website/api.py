"""The pages of the package, one a floor, and how Sphinx reads the modules' docstrings."""

from __future__ import annotations

import ast
import functools
import importlib.util
import pkgutil
import tomllib
from pathlib import Path

import kdlib
from website.docstrings import converted

# A floor goes up to the layer of this module; which layers there are, pyproject.toml says.
FLOORS = {
    "Mathematics": "sequence_losses",
    "Toy languages": "toy_students",
    "Text and models": "models",
    "The work": "recipes",
    "The job": "measure",
    "The doors": "cli",
}
SMALL = ("errors", "flags", "progress", "signals")
OTHERS = "Small things"
PACKAGES = ("exercises", "bench")  # one page each; their insides are theirs
FOLDER = "api"


@functools.cache
def modules() -> list[str]:
    """Every module of the package that has a page, without the leading "kdlib."."""
    found = pkgutil.walk_packages(kdlib.__path__, "kdlib.")
    names = [module.name.removeprefix("kdlib.") for module in found if not _folder(module)]
    inner = tuple(f"{package}." for package in PACKAGES)
    return [n for n in names if not n.startswith((*inner, "_"))]


def _folder(module: pkgutil.ModuleInfo) -> bool:
    return module.ispkg and module.name.removeprefix("kdlib.") not in PACKAGES


def floors() -> dict[str, list[str]]:
    """The modules by floor, in the order in which they build on each other."""
    floors, known = iter(FLOORS.items()), set(modules())
    name, last = next(floors)
    found: dict[str, list[str]] = {name: []}
    for layer in layers():
        found[name] += [n for entry in layer for n in _within(entry) if n in known - {*SMALL}]
        if last in layer and (following := next(floors, None)):
            name, last = following
            found[name] = []
    placed = {n for names in found.values() for n in names}
    return found | {OTHERS: sorted(known - placed)}


def layers() -> list[list[str]]:
    """The layers of the imports, from the lowest to the highest, without the leading "kdlib."."""
    project = Path(kdlib.__file__).parents[1] / "pyproject.toml"
    contracts = tomllib.loads(project.read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    found = next(c["layers"] for c in contracts if c["type"] == "layers")
    return [[n.strip().removeprefix("kdlib.") for n in row.split("|")] for row in reversed(found)]


def _within(entry: str) -> list[str]:
    """A module, or what is in it where it is a folder."""
    return [n for n in modules() if n == entry or n.startswith(f"{entry}.")]


def pages() -> dict[str, str]:
    """{path: reStructuredText} of the overview and of each floor."""
    made = {f"{FOLDER}/{_slug(floor)}.rst": floor_page(floor, n) for floor, n in floors().items()}
    return made | {f"{FOLDER}/index.rst": overview()}


def overview() -> str:
    parts = [
        _heading("The package", "="),
        "What the chapters import. P is the teacher, Q the student, in this order in every "
        "signature; functions take log-probabilities, reduce the last dimension and return nats. "
        "Each floor uses the ones above it on this page.",
    ]
    for floor, names in floors().items():
        rows = "\n".join(f"   * - :ref:`{n} <module-{n}>`\n     - {summary(n)}" for n in names)
        parts += [_heading(floor, "-"), f".. list-table::\n   :class: modules\n\n{rows}"]
    slugs = "\n".join(f"   {_slug(floor)}" for floor in floors())
    parts.append(f".. toctree::\n   :hidden:\n   :maxdepth: 1\n\n{slugs}")
    return "\n\n".join(parts) + "\n"


def floor_page(floor: str, names: list[str]) -> str:
    return "\n\n".join((_heading(floor, "="), *map(module, names))) + "\n"


def module(name: str) -> str:
    options = ":members:\n   :member-order: bysource\n   :show-inheritance:"
    heading = _heading(name, "-")
    return f".. _module-{name}:\n\n{heading}\n\n.. automodule:: kdlib.{name}\n   {options}"


def summary(name: str) -> str:
    """The first paragraph of a module's docstring, which is read without importing the module."""
    text = Path(importlib.util.find_spec(f"kdlib.{name}").origin).read_text("utf-8")
    first = converted(_docstring(text)).partition("\n\n")[0]
    return " ".join(first.split())


def _docstring(text: str) -> str:
    return ast.get_docstring(ast.parse(text)) or ""


def _slug(floor: str) -> str:
    return floor.lower().replace(" ", "-")


def _heading(text: str, line: str) -> str:
    return f"{text}\n{line * len(text)}"


def read_docstring(app, what, name, obj, options, lines: list[str]) -> None:
    """Sphinx's event autodoc-process-docstring: changes `lines` in place."""
    lines[:] = converted("\n".join(lines)).splitlines() + [""]
