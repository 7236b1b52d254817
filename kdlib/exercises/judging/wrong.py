"""A wrong answer that is known by name: which mistake it shows, and how the reader is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kdlib.exercises.catalogue import misconception


@dataclass(frozen=True)
class Wrong:
    """A wrong answer that is known by name.

    seen: the property that gives it away. expected: the property of a right answer.
    example: an answer that makes the mistake; what it is depends on the kind of exercise.
    """

    misconception: str
    seen: str
    expected: str
    example: Any = None

    def __post_init__(self) -> None:
        misconception(self.misconception)  # an unknown id is an error of the author: say so at once
