"""The pages of the package: its public surface, then a page for each room, then the overview.

Which rooms and modules there are is read from the package; only the order of rooms stands here.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import inspect
import pkgutil
from pathlib import Path

import kdlib

# The reader's rooms first. A room that is not named here comes after those that are.
ROOMS = (
    *("losses", "losses.fused", "sequences", "toys"),
    *("data", "models", "teachers", "training", "machine", "reports", "jobs"),
    *("exercises", "plots", "bench", "commands"),
)
SMALL = "Small modules"  # those that stand in no room
WHOLE = ("exercises",)  # of these only what the package itself offers; their insides are theirs
FOLDER = "api"

# A public name belongs to the first group that its module begins with.
GROUPS = {
    "How far apart are two distributions?": ("losses.divergences",),
    "The loss of a student": ("losses", "sequences"),
    "From a recipe to a report": ("jobs", "models"),
    "The book": ("exercises",),
    "And besides": ("",),
}


@functools.cache
def found() -> dict[str, bool]:
    """Everything with a page, without the leading "kdlib."; True for what is a folder."""
    walked = pkgutil.walk_packages(kdlib.__path__, "kdlib.")
    names = {module.name.removeprefix("kdlib."): module.ispkg for module in walked}
    inner = tuple(f"{package}." for package in WHOLE)
    return {n: folder for n, folder in names.items() if not n.startswith(inner) and _public(n)}


def _public(name: str) -> bool:
    return not any(part.startswith("_") for part in name.split("."))


def rooms() -> dict[str, list[str]]:
    """{room: its modules}, in the order of the pages."""
    others = [n for n, folder in found().items() if folder and n not in ROOMS]
    return {room: _modules(room) for room in (*ROOMS, *others)}


def small() -> list[str]:
    """The modules that stand in no room; the command line, which uses all others, is the last."""
    return sorted(_modules(""), key=lambda name: (name == "cli", name))


def _modules(room: str) -> list[str]:
    return [n for n, folder in found().items() if not folder and n.rpartition(".")[0] == room]


def pages() -> dict[str, str]:
    """{path: reStructuredText} of the overview and of all other pages."""
    made = {room: room_page(room, modules) for room, modules in rooms().items()}
    made |= {"index": overview(), "kdlib": public_page(), SMALL: small_page()}
    return {f"{FOLDER}/{_slug(name)}.rst": text for name, text in made.items()}


def overview() -> str:
    parts = [
        _heading("The package", "="),
        "What the chapters import. P is the teacher, Q the student, in this order in every "
        "signature; functions take log-probabilities, reduce the last dimension and return nats.",
        "What most people need is offered by :doc:`kdlib itself <kdlib>`. "
        "The rest stands in rooms, each for one question.",
    ]
    for room, modules in rooms().items():
        parts += [_heading(_page_link(room), "-"), summary(room)]
        parts += [_table({_module_link(n): summary(n) for n in modules})] if modules else []
    parts += [
        _heading(_page_link(SMALL), "-"),
        _table({_module_link(n): summary(n) for n in small()}),
    ]
    lines = "\n".join(f"   {_slug(name)}" for name in ("kdlib", *rooms(), SMALL))
    parts.append(f".. toctree::\n   :hidden:\n   :maxdepth: 1\n\n{lines}")
    return _joined(parts)


def public_page() -> str:
    """The public names by group; each links to where it is documented."""
    parts = [_heading("kdlib", "="), _automodule("kdlib")]
    for group, names in public_groups().items():
        rows = {f":py:obj:`{n} <{home(n)}>`": _first(getattr(kdlib, n).__doc__) for n in names}
        parts += [_heading(group, "-"), _table(rows)]
    return _joined(parts)


def public_groups() -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {group: [] for group in GROUPS}
    for name in kdlib.__all__:
        module = home(name).removeprefix("kdlib.")
        groups[next(g for g, starts in GROUPS.items() if module.startswith(starts))].append(name)
    return {group: names for group, names in groups.items() if names}


def home(name: str) -> str:
    """Under which name a public object is documented."""
    module = getattr(kdlib, name).__module__.removeprefix("kdlib.")
    package = next((p for p in WHOLE if module.startswith(f"{p}.")), module)
    return f"kdlib.{package}.{name}"


def room_page(room: str, modules: list[str]) -> str:
    """The package's own docstring, and all of its modules."""
    options = ("members",) if room in WHOLE else ("members", "ignore-module-all")
    parts = [_heading(room, "="), _automodule(f"kdlib.{room}", *options)]
    return _joined([*parts, *map(_module, modules)])


def small_page() -> str:
    return _joined([_heading(SMALL, "="), *map(_module, small())])


def _module(name: str) -> str:
    return f"{_heading(f'kdlib.{name}', '-')}\n\n{_automodule(f'kdlib.{name}', 'members')}"


def _automodule(name: str, *options: str) -> str:
    return "\n".join([f".. automodule:: {name}", *(f"   :{option}:" for option in options)])


def _page_link(name: str) -> str:
    return f":doc:`{name} <{_slug(name)}>`"


def _module_link(name: str) -> str:
    return f":py:mod:`{name.rpartition('.')[2]} <kdlib.{name}>`"


def summary(name: str) -> str:
    """The first paragraph of a module's docstring, which is read without importing the module."""
    text = Path(importlib.util.find_spec(f"kdlib.{name}").origin).read_text("utf-8")
    return _first(ast.get_docstring(ast.parse(text)))


def _first(docstring: str | None) -> str:
    first = inspect.cleandoc(docstring or "").partition("\n\n")[0]
    return " ".join(first.split())


def _table(rows: dict[str, str]) -> str:
    lines = "\n".join(f"   * - {name}\n     - {text}" for name, text in rows.items())
    return f".. list-table::\n   :class: modules\n\n{lines}"


def _slug(name: str) -> str:
    return name.lower().replace(" ", "-").replace(".", "-")


def _heading(text: str, line: str) -> str:
    return f"{text}\n{line * len(text)}"


def _joined(parts: list[str]) -> str:
    return "\n\n".join(parts) + "\n"
