"""The commands about runs: distill and cache make one, evaluate, compare and generate read it."""

from __future__ import annotations

import json
import os
import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tyro

from kdlib.errors import UserError
from kdlib.jobs.bounds import refuse_impossible
from kdlib.jobs.flags import parse
from kdlib.machine.console import show


def distill(arguments: list[str]) -> None:
    """Run ``kdlib distill``: run the recipe, and print the table of its report."""
    from kdlib.jobs.pipeline import distill as run
    from kdlib.jobs.recipe import DistillOptions
    from kdlib.jobs.recipe_files import load_recipe
    from kdlib.machine.distributed import is_main, shut_down
    from kdlib.reports.page import terminal_table

    name, flags = recipe_and_flags(arguments)
    defaults = DistillOptions(load_recipe(name))
    options = parse(DistillOptions, flags, defaults, prog=f"kdlib distill {name}")
    title = _title(name)
    out = options.out or Path("runs") / title
    try:
        report = run(
            options.recipe, out, title,
            resume=options.resume, overwrite=options.overwrite, dry_run=options.dry_run,
        )  # fmt: skip
    except KeyboardInterrupt as stopped:
        raise KeyboardInterrupt(
            f"{str(stopped) or 'stopped'}; go on with: {_resume_command(name, flags)}"
        ) from None
    shut_down()
    if not is_main() or options.dry_run:
        return
    if report is None:
        show(f"Teacher: {out / 'teacher'}")
    else:
        show(
            f"{terminal_table(report)}\n\nReport:  {out / 'report.html'}\nStudent: {out / 'student'}"
        )


def recipe_and_flags(arguments: list[str]) -> tuple[str, list[str]]:
    """The recipe's name, pocket if there is none, and the rest of the arguments."""
    if not arguments or arguments[0].startswith("-"):
        return "pocket", arguments
    return arguments[0], arguments[1:]


def _title(name: str) -> str:
    """What a run of this recipe is called: its file's name, as text whatever its bytes are."""
    return Path(name).stem.encode(errors="replace").decode()


def _resume_command(name: str, flags: list[str]) -> str:
    """The command line that resumes the run."""
    kept = [flag for flag in flags if flag not in ("--overwrite", "--resume")]
    command = shlex.join(["kdlib", "distill", name, *kept, "--resume"])
    ranks = os.environ.get("WORLD_SIZE", "1")
    return command if ranks == "1" else f"torchrun, as before, with: -m {command}"


def cache(arguments: list[str]) -> None:
    """Run ``kdlib cache``: make sparse targets and print the command that uses them."""
    from kdlib.jobs.advice import advice
    from kdlib.jobs.caches import cache_from_logprobs, cache_targets, write_prompts
    from kdlib.jobs.recipe import CacheOptions
    from kdlib.jobs.recipe_files import load_recipe

    name, flags = recipe_and_flags(arguments)
    recipe = load_recipe(name)
    if recipe.targets.kind == "exact":
        kind: Any = "with_tail" if _scores_elsewhere(flags) else "sampled"
        recipe = replace(recipe, targets=replace(recipe.targets, kind=kind))
    options = parse(CacheOptions, flags, CacheOptions(recipe), prog=f"kdlib cache {name}")
    targets = options.recipe.targets
    if targets.kind == "exact" or targets.cache:
        raise UserError("targets: give one of the sparse kinds, and the folder with --out")
    for sentence in advice(options.recipe):
        show(sentence)
    out = options.out or Path("caches") / _title(name)
    shared_flags = _without(flags, "--out", "--targets.kind", *ELSEWHERE)
    if options.write_prompts is not None:
        lines = write_prompts(options.recipe, options.write_prompts)
        rest = ["--from-logprobs", "ANSWERS", "--out", str(out)]
        show(
            f"Prompts: {options.write_prompts}, {lines:,} lines, each the body of a request to"
            f" /v1/completions (vLLM serves them with --max-logprobs {targets.k})\n"
            f"Then:    {shlex.join(['kdlib', 'cache', name, *shared_flags, *rest])}"
        )
        return
    if options.from_logprobs is not None:
        manifest = cache_from_logprobs(options.recipe, out, options.from_logprobs)
    else:
        manifest = cache_targets(options.recipe, out)
    target_flags = ["--targets.kind", targets.kind, "--targets.cache", str(out)]
    show(
        f"Cache:   {out}, {manifest['tokens']:,} tokens, {manifest['bytes_per_token']} bytes each\n"
        f"Use it:  {shlex.join(['kdlib', 'distill', name, *shared_flags, *target_flags])}"
    )


ELSEWHERE = ("--write-prompts", "--write_prompts", "--from-logprobs", "--from_logprobs")


def _scores_elsewhere(flags: list[str]) -> bool:
    """Whether another engine is asked for the targets: it gives the k likeliest and their mass."""
    return any(flag.partition("=")[0] in ELSEWHERE for flag in flags)


def _without(flags: list[str], *names: str) -> list[str]:
    """The flags without the named ones, whether their value follows or is joined by "="."""
    return [
        flag
        for flag, before in zip(flags, ["", *flags])
        if before not in names and flag.partition("=")[0] not in names
    ]


@dataclass(frozen=True)
class EvaluateOptions:
    """Load a run's models, measure them again on its test documents, and write its report anew."""

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    text: str | None = None
    """Measure on all of this text instead, a UTF-8 FILE or a FOLDER of .txt files; the report stays."""
    json: bool = False
    """Print JSON instead of a table: the report, or with --text its entries on models and verdict."""

    def __post_init__(self) -> None:
        refuse_impossible(self)


def evaluate(arguments: list[str]) -> None:
    """Run ``kdlib evaluate``: measure a run's models again, or on another text."""
    options = parse(EvaluateOptions, arguments, prog="kdlib evaluate")
    from kdlib.jobs.measure import measure_again, measure_on
    from kdlib.reports.page import terminal_table

    if options.text is None:
        head, report = "", measure_again(options.run)
        foot = f"\n\nReport:  {options.run / 'report.html'}"
    else:
        foot, report = "", measure_on(options.run, options.text)
        head = "\n".join([f"On {options.text}: {'; '.join(report['data']['read'])}", ""])
    show(_as_json(report) if options.json else head + terminal_table(report) + foot)


def _as_json(content: dict[str, Any]) -> str:
    """One JSON object, in ASCII: any console can print it."""
    return json.dumps(content, indent=1, allow_nan=False)


@dataclass(frozen=True)
class CompareOptions:
    """Put the students of several runs side by side, from their reports."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of finished runs."""
    html: Path | None = None
    """Write the comparison to this FILE too, as a page with figures."""
    json: bool = False
    """Print JSON instead of a table."""

    def __post_init__(self) -> None:
        if not self.runs:
            raise UserError("missing: runs; name the folders of finished runs")


def compare(arguments: list[str]) -> None:
    """Run ``kdlib compare``: print several runs side by side."""
    options = parse(CompareOptions, arguments, prog="kdlib compare")
    from kdlib.reports.comparison import compare_runs, comparison, comparison_entries

    if options.json:
        show(_as_json(comparison_entries(comparison(options.runs))))
    else:
        show(compare_runs(options.runs))
    if options.html is not None:
        from kdlib.reports.pages.comparison import write_comparison

        write_comparison(options.runs, options.html)
        print(f"\nPage:    {options.html}", file=sys.stderr if options.json else sys.stdout)


@dataclass(frozen=True)
class GenerateOptions:
    """Let the teacher, the student and the controls of a run go on from a text."""

    run: tyro.conf.Positional[Path]
    """Folder of the run."""
    prompt: tyro.conf.Positional[str]
    """The text to go on from."""
    tokens: int | None = None
    """How many tokens to add; 60 if left out, or fewer where a model reads less at once."""
    seed: int = 0
    """The same seed, the same texts."""

    def __post_init__(self) -> None:
        if not self.prompt.strip():
            raise UserError("prompt: it is empty; give some words to go on from")
        if self.tokens is not None and self.tokens < 1:
            raise UserError(f"tokens: {self.tokens} is too few; use 1 or more")
        refuse_impossible(self)


def generate(arguments: list[str]) -> None:
    """Run ``kdlib generate``: print how each model of a run continues a text."""
    options = parse(GenerateOptions, arguments, prog="kdlib generate")
    from kdlib.jobs.samples import continuations

    for name, text in continuations(
        options.run, options.prompt, options.tokens, options.seed
    ).items():
        show(f"--- {name}\n{options.prompt}{text}\n")
