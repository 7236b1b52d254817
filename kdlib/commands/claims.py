"""The command about claims: list them with their verdicts, or try one."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from kdlib.files import disk_errors_named, locked
from kdlib.jobs.flags import parse
from kdlib.machine.console import show

if TYPE_CHECKING:
    from kdlib.claims.claim import Claim


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
    """Folder of the runs: in it each claim has a folder with its notes and its record."""
    json: bool = False
    """Print JSON: of the list its verdicts, else the record, or the numbers of a quick form."""


def claim(arguments: list[str]) -> None:
    """Run ``kdlib claim``: print the list, a record, or what a run finds."""
    options = parse(ClaimOptions, arguments, prog="kdlib claim")
    from kdlib.claims import tables
    from kdlib.claims.record import shipped
    from kdlib.claims.registry import claim as claim_named
    from kdlib.claims.registry import claims
    from kdlib.claims.running import run_quick

    if not options.name:
        found = tables.verdicts(claims())
        show(json.dumps(found, indent=1) if options.json else tables.overview(claims()))
        return
    chosen = claim_named(options.name)
    if not options.json:
        show(tables.plan(chosen) + "\n")
    if options.show:
        record = shipped(chosen.name)
        text = tables.result(chosen, record) if record else "There is no record yet."
        show(json.dumps(record, indent=1) if options.json else text)
    elif options.quick:
        numbers = run_quick(chosen)
        text = tables.quick_result(chosen, numbers)
        show(json.dumps(numbers, indent=1) if options.json else text)
    else:
        _run(chosen, options)


def _run(chosen: Claim, options: ClaimOptions) -> None:
    """Tune and train what is not done yet, write the record, and print it."""
    from kdlib.claims import tables
    from kdlib.claims.record import shipped, write_record
    from kdlib.claims.running import run_claim
    from kdlib.machine.devices import processor_name

    folder = options.out / chosen.name
    with disk_errors_named(folder):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder):
            record = run_claim(chosen, folder / "notes.json", processor_name())
    except KeyboardInterrupt:
        again = shlex.join(["kdlib", "claim", chosen.name, "--out", str(options.out)])
        raise KeyboardInterrupt(f"stopped; go on with: {again}") from None
    path, before = folder / "record.json", shipped(chosen.name)
    write_record(path, record)
    if options.json:
        show(json.dumps(record, indent=1))
        return
    show(tables.result(chosen, record))
    if before:
        show("\n" + tables.compared(chosen, record, before))
    show(f"\nRecord: {path}")
