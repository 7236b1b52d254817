"""All claims, each a file in `papers/`."""

from __future__ import annotations

import difflib
import functools
import importlib
import pkgutil
from types import MappingProxyType

from kdlib.claims import papers
from kdlib.claims.claim import Claim
from kdlib.errors import UserError


@functools.cache
def claims() -> MappingProxyType[str, Claim]:
    """Every claim by its name, in alphabetical order."""
    modules = sorted(found.name for found in pkgutil.iter_modules(papers.__path__))
    found = {module: _claim(module) for module in modules}
    return MappingProxyType({claim.name: claim for claim in found.values()})


def claim(name: str) -> Claim:
    """The claim of that name.

    Raises:
        UserError: if there is none.
    """
    if name not in claims():
        close = difflib.get_close_matches(name, claims(), n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(claims())}"
        raise UserError(f"claim: there is no {name!r}; {hint}")
    return claims()[name]


def _claim(module: str) -> Claim:
    found: Claim = importlib.import_module(f"{papers.__name__}.{module}").CLAIM
    if found.name != module.replace("_", "-"):
        raise ValueError(f"papers/{module}.py holds the claim {found.name!r}")
    return found
