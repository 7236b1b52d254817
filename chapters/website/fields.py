"""The fields of a docstring that napoleon does not make: its source, and a class's bases."""

from __future__ import annotations

import re
from typing import Generic, Protocol, get_origin

from sphinx.util.typing import restify

SOURCE = re.compile(r"^\s*Source: ")
OBVIOUS = (object, Generic, Protocol)  # bases that tell a reader nothing


def add_fields(app, what, name, obj, options, lines: list[str]) -> None:
    """Sphinx calls this, at autodoc-process-docstring, after napoleon. It changes `lines`."""
    lines[:] = with_source(lines)
    if what in ("class", "exception") and (bases := bases_of(obj)):
        lines += ["", f":Bases: {', '.join(bases)}", ""]


def with_source(lines: list[str]) -> list[str]:
    """A line "Source: ..." and those that go on with it become a field beside Raises."""
    made, inside = [], False
    for line in lines:
        begins = SOURCE.match(line)
        inside = bool(begins) or (inside and bool(line.strip()))
        if begins:
            made += ["", SOURCE.sub(":Source: ", line)]
        else:
            made.append(f"   {line.strip()}" if inside else line)
    return made


def bases_of(kind: type) -> list[str]:
    """The bases of a class that a reader would want to know, as links."""
    bases = vars(kind).get("__orig_bases__", kind.__bases__)
    return [restify(b, "smart") for b in bases if (get_origin(b) or b) not in OBVIOUS]
