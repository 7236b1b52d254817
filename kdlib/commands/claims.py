"""The command about claims: list them with their verdicts, or try one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import tyro

from kdlib.jobs.flags import parse
from kdlib.machine.console import show


@dataclass(frozen=True)
class ClaimOptions:
    """What papers say about distilling language models, tried: list the claims, or run one.

    A run takes minutes, goes on where it was stopped, and ends with the verdict that the claim's
    rule gives, beside that of the record which comes along.
    """

    name: tyro.conf.Positional[str] = ""
    """Of a claim; left out: a list of all with their verdicts."""
    show: bool = False
    """Print how it is tried and what its record says; run nothing."""
    quick: bool = False
    """One small training of each arm, to see that it works; it decides nothing."""
    out: Path = Path("runs/claims")
    """Folder of the run's notes and its record."""
    json: bool = False
    """Print the record as JSON."""


def claim(arguments: list[str]) -> None:
    """Run ``kdlib claim``: print the list, a record, or what a run finds."""
    options = parse(ClaimOptions, arguments, prog="kdlib claim")
    from kdlib.claims import tables
    from kdlib.claims.record import shipped, write_record
    from kdlib.claims.registry import claim as claim_named
    from kdlib.claims.registry import claims
    from kdlib.claims.running import run_claim, run_quick
    from kdlib.machine.devices import processor_name

    if not options.name:
        show(tables.overview(claims()))
        return
    chosen, before = claim_named(options.name), shipped(options.name)
    if options.show and options.json:
        show(json.dumps(before, indent=1))
        return
    if not options.json:
        show(tables.plan(chosen) + "\n")
    if options.show:
        show(tables.result(chosen, before) if before else "There is no record yet.")
    elif options.quick:
        show(tables.quick_result(chosen, run_quick(chosen)))
    else:
        notes = options.out / f"{chosen.name}.notes.json"
        record = run_claim(chosen, notes, processor_name())
        path = options.out / f"{chosen.name}.json"
        write_record(path, record)
        if options.json:
            show(json.dumps(record, indent=1))
            return
        show(tables.result(chosen, record))
        if before:
            show("\n" + tables.compared(chosen, record, before))
        show(f"\nRecord: {path}")
