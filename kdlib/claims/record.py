"""What came out of a claim: numbers of every training, how each arm was tuned, and the verdict."""

from __future__ import annotations

import json
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from kdlib.claims.claim import Claim
from kdlib.claims.rules import Numbers
from kdlib.files import write_atomically

LIBRARIES = ("torch", "transformers", "numpy")
DIGITS = 6  # of the numbers that are kept


def shipped(name: str) -> dict[str, Any] | None:
    """The record that comes with the package, or None."""
    file = resources.files("kdlib.claims") / "records" / f"{name}.json"
    return json.loads(file.read_text("utf-8")) if file.is_file() else None


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write a record, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode())


def versions() -> dict[str, str]:
    """Of the libraries that do the arithmetic."""
    return {name: metadata.version(name) for name in LIBRARIES}


def rounded(value: float) -> float:
    """To so many digits that no verdict depends on the rest."""
    return float(f"{value:.{DIGITS}g}")


def faults(claim: Claim, record: dict[str, Any]) -> list[str]:
    """What in a record does not fit its claim: one sentence each."""
    found = []
    if record["settings"] != json.loads(json.dumps(dict(claim.settings))):
        found.append("its settings are not the claim's: run it again")
    if record["rule"] != [str(rule) for rule in claim.rule]:
        found.append("its rule is not the claim's")
    if list(record["seeds"]) != list(claim.seeds):
        found.append("its seeds are not the claim's")
    numbers: Numbers = record["numbers"]
    if set(numbers) != set(claim.arms):
        return [*found, "its arms are not the claim's"]
    for arm, tuned in record["tuning"].items():
        best = min(tuned, key=tuned.__getitem__)
        if float(best) != record["rates"][arm]:
            found.append(f"{arm}: the rate {record['rates'][arm]} is not the best of its sweep")
    if (verdict := claim.verdict(numbers)) != record["verdict"]:
        found.append(f"the verdict is {record['verdict']!r}, and the rule gives {verdict!r}")
    return found


def moved(claim: Claim, record: dict[str, Any], quick: Numbers) -> list[str]:
    """Which numbers of the quick form have moved by more than the claim's tolerance.

    Args:
        claim: whose record it is.
        record: with the numbers of its quick form.
        quick: those of today, one training an arm.
    """
    found = []
    for arm, measures in record["quick"].items():
        for measure, before in measures.items():
            now = quick[arm][measure][0]
            if abs(now - before) > claim.tolerance * max(abs(before), abs(now)):
                found.append(f"{arm}, {measure}: {before:g} in the record, {now:g} now")
    return found
