"""Links from the package's pages to its source, where a public copy of the project is known."""

from __future__ import annotations

import functools
import importlib
import inspect
from pathlib import Path

import kdlib
from website import repository

HERE = Path(kdlib.__file__).parent.parent


@functools.cache
def public_copy() -> str | None:
    """The repository that CONTRIBUTING.md names, as owner/name."""
    return repository.name((HERE / "CONTRIBUTING.md").read_text("utf-8"))


def resolve(domain: str, info: dict[str, str]) -> str | None:
    """Sphinx calls this, as linkcode_resolve, for each documented object. None: it gets no link."""
    copy = public_copy()
    if domain != "py" or copy is None:
        return None
    try:
        thing = importlib.import_module(info["module"])
        for name in filter(None, info["fullname"].split(".")):
            thing = getattr(thing, name)
        thing = inspect.unwrap(thing)
        path = Path(inspect.getsourcefile(thing) or "").relative_to(HERE)
        lines, first = inspect.getsourcelines(thing)
    except (AttributeError, TypeError, ValueError, OSError):
        return None  # a number, or what another library has written
    return (
        f"https://github.com/{copy}/blob/HEAD/{path.as_posix()}#L{first}-L{first + len(lines) - 1}"
    )
