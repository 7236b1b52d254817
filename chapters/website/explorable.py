"""What a page needs of a figure that a reader moves, beside its script."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kdlib.plots import Picture


@dataclass(frozen=True)
class Explorable:
    """What a page needs of an explorable beside its script.

    Attributes:
        title: its name.
        invitation: what to try, in one or two sentences.
        rule: what a reader must know of how it moves.
        settings: what the script reads.
        still: draws the picture that stands there without scripts.
        scripts: the files that it needs, in this order.
    """

    title: str
    invitation: str
    rule: str
    settings: dict[str, Any]
    still: Callable[[], Picture]
    scripts: tuple[str, ...]
