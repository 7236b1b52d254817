"""Links from the bare names in docstrings, `forward_kl`, to where these are documented."""

from __future__ import annotations

import re

import kdlib

# What a bare name may mean. A module or an attribute is meant only where a dot stands before it:
# too many parameters are called `losses` or `text`.
BARE = ("function", "class", "exception", "data")


def link(app, env, node, contnode):
    """Sphinx calls this, at its event missing-reference, for a name unknown in its own module."""
    domain = env.get_domain("py")
    name = full_name(node["reftarget"], domain.objects) if node["refdomain"] == "py" else None
    if name is None:
        return None
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", name, node, contnode)


def full_name(name: str, objects) -> str | None:
    """The one documented object that a short name can mean; None where there is none, or several.

    A plain word, without a dot, a capital or an underscore, is taken for a parameter, unless it is
    one of `kdlib.__all__`. objects: {full name: entry with the attribute `objtype`}.
    """
    short = name.removeprefix("kdlib.").removesuffix("()")
    if "." in name and f"kdlib.{short}" in objects:
        return f"kdlib.{short}"
    if re.fullmatch(r"[a-z]+", short) and short not in kdlib.__all__:
        return None
    ends = [full for full in objects if full.endswith(f".{short}")]
    meant = [full for full in ends if "." in short or objects[full].objtype in BARE]
    return meant[0] if len(meant) == 1 else None
