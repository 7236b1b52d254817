"""What a signature and a list of members leave out: what other libraries put there.

The functions that take `app` are called by Sphinx, at the event that their docstring names.
"""

from __future__ import annotations

import inspect
import re

from sphinx import addnodes

TOKEN = re.compile(r"(\bAnnotated\b|[\[\],])")


def skip_strangers(app, what, name, obj, skip, options) -> bool | None:
    """autodoc-skip-member: no methods written by other libraries, no "Alias for field number 0"."""
    foreign = inspect.isroutine(obj) and not (obj.__module__ or "kdlib").startswith("kdlib")
    alias = (getattr(obj, "__doc__", None) or "").startswith("Alias for field number")
    return True if foreign or alias else None


def shorten_signature(app, what, name, obj, options, signature, result):
    """autodoc-process-signature: Annotated[str, ...] is shown as str."""
    tokens = list(filter(None, TOKEN.split(signature or "")))
    return ("".join(tokens[i] for i in kept(tokens)), result) if "Annotated" in tokens else None


def shorten_types(app, doctree, page) -> None:
    """doctree-resolved: the same for the type of an attribute."""
    for node in list(doctree.findall(addnodes.desc_annotation)):
        children = node.children
        node.children = [children[i] for i in kept([child.astext() for child in children])]


def kept(tokens: list[str]) -> list[int]:
    """Which tokens of a type stay where X takes the place of Annotated[X, ...]."""
    stay, opened = [], []  # opened: one entry for each open bracket
    for i, token in enumerate(tokens):
        if token == "[":
            opened.append("first" if tokens[i - 1] == "Annotated" else "other")
        elif token == "," and opened[-1:] == ["first"]:
            opened[-1] = "rest"
        closed = opened.pop() if token == "]" and opened else "other"
        bracket = token == "[" and opened[-1] == "first"
        if not (token == "Annotated" or bracket or closed != "other" or "rest" in opened):
            stay.append(i)
    return stay
