"""The two small models of the page "Three models", as chapters/three_models.py has stored them.

They are two arms of the claim `crossover`, of one seed: a student of the shipped teacher, and its
control, which the same operations have taught from the text alone.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any, NamedTuple

from safetensors.torch import load_file
from torch import Tensor, nn

from kdlib.claims.grounds import pocket
from kdlib.models.frozen import freeze

STUDENTS = Path(__file__).with_name("students")
MANIFEST, EXAM = "manifest.json", "exam.json"
SEED = 0
TIED = "lm_head.weight"  # the embedding once more


class Small(NamedTuple):
    """A model by the arm of the claim that it is: how it was taught, and on how many blocks."""

    kind: str
    blocks: int

    @property
    def arm(self) -> str:
        return f"{self.kind} {self.blocks}"


SMALL = {"student": Small("split", 768), "control": Small("alone", 1536)}


def load(name: str) -> nn.Module:
    """A stored model, frozen, in float32."""
    model = pocket.new_student(SEED)
    weights = {key: value.float() for key, value in weights_of(name).items()}
    model.load_state_dict(weights | {TIED: weights["model.embed_tokens.weight"]})
    return freeze(model)


def weights_of(name: str) -> dict[str, Tensor]:
    """The matrices and vectors of a stored model, in bfloat16; the head is the embedding."""
    return load_file(STUDENTS / f"{name}.safetensors")


@functools.cache
def manifest() -> dict[str, Any]:
    """What is stored, by name: claim, arm, rate, seed, steps, loss on the test text."""
    return json.loads((STUDENTS / MANIFEST).read_text("utf-8"))


@functools.cache
def exams() -> dict[str, dict[str, float]]:
    """How the three models do on the test text as they are on the page, in nats per token."""
    return json.loads((STUDENTS / EXAM).read_text("utf-8"))
