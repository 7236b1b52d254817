"""In which chapters something of the package is used: a field of its docstring, read off the imports."""

from __future__ import annotations

import ast
import functools
import importlib
from collections import defaultdict
from pathlib import Path
from types import ModuleType

from contents import sources

ROOT = "kdlib"


def add_chapters(app, what, name, obj, options, lines: list[str]) -> None:
    """autodoc-process-docstring: a field "Used in", with links to the chapters."""
    chapters = _all().get(identity(obj)) if what in ("function", "class", "exception") else None
    if chapters:
        links = ", ".join(f":doc:`{int(stem[:2])} </{stem}>`" for stem in chapters)
        lines += ["", f":Used in: chapter{'s' if len(chapters) > 1 else ''} {links}", ""]


def identity(thing: object) -> str:
    """Where something was written, whatever name it was imported by; "" for what has no name."""
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    return f"{module}.{name}" if module and name else ""


@functools.cache
def _all() -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for source in sources():
        if source.with_suffix(".ipynb").exists():
            for used in sorted(uses(source)):
                found[used].append(source.stem)
    return dict(found)


def uses(source: Path) -> set[str]:
    """The identities of what a chapter imports by name, or takes from a module that it imports."""
    tree = ast.parse(source.read_text("utf-8"))
    names: dict[str, object] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and _is_ours(node.module or ""):
            module = importlib.import_module(node.module or "")
            names |= {e.asname or e.name: _member(module, e.name) for e in node.names}
        elif isinstance(node, ast.Import):
            for each in (e for e in node.names if _is_ours(e.name)):
                module = importlib.import_module(each.name)
                names[each.asname or ROOT] = (
                    module if each.asname else importlib.import_module(ROOT)
                )
    modules = {name: thing for name, thing in names.items() if isinstance(thing, ModuleType)}
    taken = [_taken(node, modules) for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    return {identity(thing) for thing in (*names.values(), *taken)} - {""}


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == ROOT


def _member(module: ModuleType, name: str) -> object:
    """A name of a module, or a module in a package that has not been imported yet."""
    if hasattr(module, name):
        return getattr(module, name)
    return importlib.import_module(f"{module.__name__}.{name}")


def _taken(node: ast.Attribute, modules: dict[str, ModuleType]) -> object:
    """What `live.peak_bytes` is, where `live` is a module; None for anything else."""
    holder: object = None
    if isinstance(node.value, ast.Name):
        holder = modules.get(node.value.id)
    elif isinstance(node.value, ast.Attribute):
        holder = _taken(node.value, modules)
    return getattr(holder, node.attr, None) if isinstance(holder, ModuleType) else None
